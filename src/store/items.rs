//! Authorities, and the public list of items with their transfers.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;
use time::OffsetDateTime;

use super::audit::audit;
use super::row::Reading;
use super::seals::already;
use super::writing::Writing;
use super::{Store, StoreError, micros};
use crate::authority::{Authority, Uscc};
use crate::item::{Item, ItemCode, Transfer};

impl Store {
    /// Files an authority; the same one again changes nothing, another under the same code is a conflict.
    pub async fn add_authority(&self, authority: &Authority, who: &str, now: OffsetDateTime) -> Result<(), StoreError> {
        if let Some(filed) = self.authority(&authority.uscc).await? {
            return if filed == *authority {
                Ok(())
            } else {
                Err(StoreError::conflict(
                    "store.authority",
                    "该统一社会信用代码已登记为另一单位",
                    "this code is already filed for another authority",
                ))
            };
        }
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO authority (uscc, name, kind) VALUES ($1, $2, $3)")
            .bind(authority.uscc.as_str())
            .bind(&authority.name)
            .bind(authority.kind.as_str())
            .execute(&mut *tx)
            .await
            .map_err(|e| already(e, "store.authority", "该统一社会信用代码已登记", "this code is already filed"))?;
        let detail = serde_json::json!({ "name": authority.name, "kind": authority.kind });
        audit(&mut tx, now, who, "authority.filed", authority.uscc.as_str(), &detail).await?;
        tx.commit().await
    }

    /// One authority.
    pub async fn authority(&self, uscc: &Uscc) -> Result<Option<Authority>, StoreError> {
        let row = sqlx::query("SELECT uscc, name, kind FROM authority WHERE uscc = $1")
            .bind(uscc.as_str())
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(read_authority).transpose()
    }

    /// All authorities, by name.
    pub async fn authorities(&self) -> Result<Vec<Authority>, StoreError> {
        sqlx::query("SELECT uscc, name, kind FROM authority ORDER BY name")
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(read_authority)
            .collect()
    }

    /// Puts an item on the list, with its transfers.
    pub async fn add_item(&self, item: &Item, who: &str, now: OffsetDateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO item (code, name, department, example) VALUES ($1, $2, $3, $4)")
            .bind(item.code.as_str())
            .bind(&item.name)
            .bind(item.department.as_str())
            .bind(i64::from(item.example))
            .execute(&mut *tx)
            .await
            .map_err(|e| already(e, "store.item", "该事项编码已登记", "this item is already filed"))?;
        let detail = serde_json::json!({ "name": item.name, "department": item.department });
        audit(&mut tx, now, who, "item.filed", item.code.as_str(), &detail).await?;
        for transfer in &item.transfers {
            add_transfer(&mut tx, &item.code, transfer, who, now).await?;
        }
        tx.commit().await
    }

    /// Moves an item to another authority.
    pub async fn add_transfer(
        &self,
        item: &ItemCode,
        transfer: &Transfer,
        who: &str,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        add_transfer(&mut tx, item, transfer, who, now).await?;
        tx.commit().await
    }

    /// One item with its transfers.
    pub async fn item(&self, code: &ItemCode) -> Result<Option<Item>, StoreError> {
        Ok(self.items_named(code.as_str()).await?.pop())
    }

    /// The public list, by code.
    pub async fn items(&self) -> Result<Vec<Item>, StoreError> {
        self.items_named("").await
    }

    /// The item with this code, or all of them for an empty one: every use of a seal asks for just one.
    async fn items_named(&self, code: &str) -> Result<Vec<Item>, StoreError> {
        let mut transfers: BTreeMap<String, Vec<Transfer>> = BTreeMap::new();
        for row in &sqlx::query("SELECT item, to_authority, batch, document, at FROM item_transfer WHERE $1 = '' OR item = $1 ORDER BY item, at").bind(code)
            .fetch_all(&self.read)
            .await?
        {
            let row = Reading("item_transfer", row);
            transfers.entry(row.get("item")?).or_default().push(Transfer {
                to: row.parse("to_authority", Uscc::parse)?,
                batch: row.get("batch")?,
                document: row.get("document")?,
                at: row.time("at")?,
            });
        }
        sqlx::query("SELECT code, name, department, example FROM item WHERE $1 = '' OR code = $1 ORDER BY code")
            .bind(code)
            .fetch_all(&self.read)
            .await?
            .iter()
            .map(|row| {
                let row = Reading("item", row);
                let code = row.parse("code", ItemCode::parse)?;
                Ok(Item {
                    transfers: transfers.remove(code.as_str()).unwrap_or_default(),
                    code,
                    name: row.get("name")?,
                    department: row.parse("department", Uscc::parse)?,
                    example: row.get::<i64>("example")? != 0,
                })
            })
            .collect()
    }
}

async fn add_transfer(
    tx: &mut Writing,
    item: &ItemCode,
    transfer: &Transfer,
    who: &str,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO item_transfer (item, to_authority, batch, document, at) VALUES ($1, $2, $3, $4, $5)")
        .bind(item.as_str())
        .bind(transfer.to.as_str())
        .bind(&transfer.batch)
        .bind(&transfer.document)
        .bind(micros(transfer.at))
        .execute(&mut **tx)
        .await?;
    let detail = serde_json::json!({ "to": transfer.to, "at": micros(transfer.at), "document": transfer.document });
    audit(tx, now, who, "item.transferred", item.as_str(), &detail).await
}

fn read_authority(row: &AnyRow) -> Result<Authority, StoreError> {
    let row = Reading("authority", row);
    Ok(Authority { uscc: row.parse("uscc", Uscc::parse)?, name: row.get("name")?, kind: row.word("kind")? })
}
