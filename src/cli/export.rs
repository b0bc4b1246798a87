//! What verifiers are given: certificates, lists and keys to trust.

use super::rooms::write_file;
use super::trouble::Trouble;
use crate::pki::certificate::to_pem;
use crate::store::Store;
use crate::tlog::note::VerifierKey;

/// Writes `root.pem`, `issuing.pem`, `root.crl`, `issuing.crl` and those of a second line, `stamping.pem` (all certificates of the
/// time-stamping units), `log.vkey` and `witnesses.vkey` (those that there are), and gives their names.
pub(super) async fn export(
    store: &Store,
    witnesses: &[VerifierKey],
    dir: &std::path::Path,
) -> Result<Vec<String>, Trouble> {
    std::fs::create_dir_all(dir).map_err(|e| Trouble::file(dir, &e))?;
    let mut written = vec![];
    for ca in store.ca_certificates().await? {
        let name = format!("{}.pem", ca.label);
        write_file(&dir.join(&name), to_pem("CERTIFICATE", &ca.certificate).as_bytes())?;
        written.push(name);
        if let Some(list) = store.crl(&ca.label).await? {
            let name = format!("{}.crl", ca.label);
            write_file(&dir.join(&name), &list.crl)?;
            written.push(name);
        }
    }
    let units = store.stamping_certificates().await?;
    if !units.is_empty() {
        let pem: String = units.iter().map(|unit| to_pem("CERTIFICATE", &unit.certificate)).collect();
        write_file(&dir.join("stamping.pem"), pem.as_bytes())?;
        written.push("stamping.pem".to_owned());
    }
    let log: Vec<VerifierKey> = store.log_identity().await?.map(|log| log.vkey).into_iter().collect();
    for (name, keys) in [("log.vkey", log.as_slice()), ("witnesses.vkey", witnesses)] {
        if !keys.is_empty() {
            let lines: String = keys.iter().map(|key| format!("{key}\n")).collect();
            write_file(&dir.join(name), lines.as_bytes())?;
            written.push(name.to_owned());
        }
    }
    Ok(written)
}
