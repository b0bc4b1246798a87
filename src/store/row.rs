//! Columns back into types. A row that does not parse is an error that names table and column.

use sqlx::any::AnyRow;
use sqlx::{Any, ColumnIndex, Decode, Row, Type};
use time::OffsetDateTime;

use super::StoreError;

/// A row being read, with its table's name for errors.
pub(super) struct Reading<'r>(pub &'static str, pub &'r AnyRow);

impl<'r> Reading<'r> {
    /// The column as the driver gives it.
    pub fn get<T>(&self, column: &'static str) -> Result<T, StoreError>
    where
        T: Decode<'r, Any> + Type<Any>,
        &'static str: ColumnIndex<AnyRow>,
    {
        self.1.try_get(column).map_err(|e| self.bad(column, e.to_string()))
    }

    /// Text that one of our types reads.
    pub fn parse<T, E: std::fmt::Display>(
        &self,
        column: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, StoreError> {
        let text: String = self.get(column)?;
        read(&text).map_err(|e| self.bad(column, e.to_string()))
    }

    /// JSON text.
    pub fn json<T: serde::de::DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        self.parse(column, |text| serde_json::from_str(text))
    }

    /// One of our kebab-case enumerations.
    pub fn word<T: serde::de::DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        self.parse(column, |text| serde_json::from_value::<T>(serde_json::Value::String(text.to_owned())))
    }

    /// An instant.
    pub fn time(&self, column: &'static str) -> Result<OffsetDateTime, StoreError> {
        let micros: i64 = self.get(column)?;
        instant(micros).ok_or_else(|| self.bad(column, format!("{micros} is no time")))
    }

    /// An instant that may be absent.
    pub fn time_or_none(&self, column: &'static str) -> Result<Option<OffsetDateTime>, StoreError> {
        self.get::<Option<i64>>(column)?
            .map(|micros| instant(micros).ok_or_else(|| self.bad(column, format!("{micros} is no time"))))
            .transpose()
    }

    pub fn bad(&self, column: &'static str, why: String) -> StoreError {
        StoreError::Row { table: self.0, column, why }
    }
}

fn instant(micros: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).ok()
}

/// A moment as it is read back once it was stored: to the microsecond, UTC. What is hashed says it so.
pub(super) fn as_stored(at: OffsetDateTime) -> OffsetDateTime {
    instant(super::micros(at)).unwrap_or(at)
}

/// Our own types as JSON text. They are plain data, so this cannot fail in practice; if it does it is said.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Row { table: "-", column: "json", why: e.to_string() })
}
