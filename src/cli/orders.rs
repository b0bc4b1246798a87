//! Orders that wait: which, and why; and the end of one that would wait for ever.

use clap::Subcommand;
use time::OffsetDateTime;

use super::filing::TwoOfficers;
use super::rooms::Rooms;
use super::trouble::Trouble;
use crate::administer;

/// The most that are shown, longest waiting first.
const SHOWN: u16 = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum OrdersCommand {
    /// 等待中的用印指令及原因 / orders that wait, and why
    List,
    /// 放弃等待中的用印指令（如密钥不再恢复），记为未完成 / give up an order that waits, such as one whose key never comes back
    GiveUp {
        /// 指令编号 / the order's identifier
        order: String,
        /// 理由 / why
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        two: TwoOfficers,
    },
}

pub(super) async fn orders(rooms: &Rooms, command: OrdersCommand, now: OffsetDateTime) -> Result<(), Trouble> {
    let store = rooms.store().await?;
    match command {
        OrdersCommand::List => rooms.show(&store.all_waiting("", SHOWN).await?),
        OrdersCommand::GiveUp { order, reason, two } => {
            let (by, second) = two.check(&store, "orders give-up", now).await?;
            administer::give_up(&store, (&by, &second), &order, &reason, now).await?;
            rooms.say(
                &format!("指令 {order} 已放弃，未用印；可重新办理"),
                "the order is given up and nothing was sealed; the same may be asked for again",
                &serde_json::json!({ "order": order }),
            );
            Ok(())
        }
    }
}
