//! The second administrator, who signs beside the first on the same page: administration of seals takes two (rule 5).

use secrecy::SecretString;

use super::field::{Field, Kind, Section, Values};
use crate::http::problem::Problem;
use crate::http::sign_in::{Browser, check_password};
use crate::http::staff::StaffState;
use crate::officer::Officer;

/// The field beside which it stands why the second administrator was not recognised.
pub(super) const SECOND: &str = "second_id";

/// The part of a form in which the second administrator signs.
pub(super) fn section() -> Section {
    Section {
        zh: "第二名印章管理人员",
        en: "Second administrator",
        fields: vec![
            Field::new(SECOND, "人员编号", "Identifier", Kind::Text)
                .hint("印章管理须两人办理，请另一名管理人员在此输入本人编号和密码"),
            Field::new("second_password", "密码", "Password", Kind::Password),
        ],
    }
}

/// Whoever signed there; the rules say whether they may.
pub(super) async fn signed(state: &StaffState, browser: &Browser, values: &Values) -> Result<Officer, Problem> {
    check_password(state, browser, values.get(SECOND), SecretString::from(values.get("second_password"))).await
}
