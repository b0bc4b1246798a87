//! Where the demonstration works: settings, database and keys of its own.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::DemoArguments;
use crate::cli::trouble::Trouble;
use crate::keys;

/// First line of the settings, by which our own folder is known again.
const HEADING: &str = "# 演示用设置 / settings of the demonstration";

/// The working directory; removed at the end where it was made for one run.
#[derive(Debug)]
pub(super) struct State {
    folder: PathBuf,
    for_one_run: bool,
}

impl State {
    /// A fresh private folder, or `demo/` that stays; with settings and, for soft keys, a passphrase.
    pub fn prepare(arguments: &DemoArguments) -> Result<Self, Trouble> {
        // A token's keys are gone with the token, which scripts/demo makes for one run.
        let for_one_run = arguments.once.is_some() || arguments.hsm_module.is_some();
        let folder = match for_one_run {
            true => std::env::temp_dir().join(format!("yinxin-demo-{}", hex::encode(keys::draw()?))),
            false => PathBuf::from("demo"),
        };
        if let Ok(settings) = std::fs::read_to_string(folder.join("yinxin.toml")) {
            // What an earlier demonstration did not finish is begun anew; any other folder of this name is left alone.
            if folder.join("out/register.json").exists() || !settings.starts_with(HEADING) {
                return Ok(Self { folder, for_one_run });
            }
            std::fs::remove_dir_all(&folder).map_err(|e| Trouble::file(&folder, &e))?;
        }
        DirBuilder::new()
            .recursive(!for_one_run)
            .mode(0o700)
            .create(&folder)
            .map_err(|e| Trouble::file(&folder, &e))?;
        let state = Self { folder, for_one_run };
        let here = std::env::current_dir().map_err(|e| Trouble::file(Path::new("."), &e))?;
        let mut settings = format!(
            "{HEADING}\n[render]\ntemplates = {}\n[verify]\nreport_seal = \"{}\"\nreport_officer = \"zf-seal-1\"\n",
            quoted(&here.join("templates")),
            super::GOVERNMENT,
        );
        match (&arguments.hsm_module, &arguments.hsm_token, &arguments.hsm_pin_file) {
            (Some(module), Some(token), Some(pin)) => settings.push_str(&format!(
                "[keys]\nhome = \"pkcs11\"\n[keys.pkcs11]\nmodule = {}\ntoken_label = {}\npin_file = {}\n",
                quoted(module),
                serde_json::Value::from(token.as_str()),
                quoted(&here.join(pin)),
            )),
            _ => {
                let passphrase = hex::encode([keys::draw()?, keys::draw()?].concat());
                state.write("passphrase", &passphrase)?;
                settings.push_str("[keys]\nhome = \"soft\"\ndir = \"keys\"\npassphrase_file = \"passphrase\"\n");
            }
        }
        state.write("yinxin.toml", &settings)?;
        Ok(state)
    }

    /// Where documents go when nobody named a place.
    pub fn out(&self) -> PathBuf {
        self.folder.join("out")
    }

    /// The file with the password that every sample officer signs in with.
    pub fn password(&self) -> Result<PathBuf, Trouble> {
        let path = self.folder.join("password");
        if !path.exists() {
            self.write("password", &hex::encode(keys::draw()?))?;
        }
        Ok(path)
    }

    /// The settings file.
    pub fn settings(&self) -> PathBuf {
        self.folder.join("yinxin.toml")
    }

    /// Where everything of the demonstration is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds sections to the settings.
    pub fn add_settings(&self, text: &str) -> Result<(), Trouble> {
        let path = self.settings();
        OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|e| Trouble::file(&path, &e))
    }

    /// A new file of its owner's alone.
    pub fn write(&self, name: &str, text: &str) -> Result<(), Trouble> {
        let path = self.folder.join(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| writeln!(file, "{text}"))
            .map_err(|e| Trouble::file(&path, &e))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if self.for_one_run {
            // What cannot be removed lies in the system's own place for such things.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// A TOML basic string; JSON's escapes are among TOML's.
fn quoted(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy().as_ref()).to_string()
}
