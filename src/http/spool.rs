//! A document on its way in: a small one stays in memory, a larger one goes to a file that has no name, so that it is
//! gone when its judgement ends, however that ends.

use tokio::io::AsyncWriteExt;

use super::problem::Problem;
use crate::limits;
use crate::verify::gather::{GatherError, Given};

/// What has come so far.
#[derive(Default)]
pub(super) struct Spool {
    held: Vec<u8>,
    file: Option<tokio::fs::File>,
    length: usize,
}

impl Spool {
    /// The next bytes.
    ///
    /// # Errors
    /// More than is taken of a document, or trouble of the disk.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.length += bytes.len();
        if self.length > limits::PDF_BYTES {
            return Err(Problem::from_status(axum::http::StatusCode::PAYLOAD_TOO_LARGE));
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() > limits::HTTP_HELD_BYTES {
            self.put_down().await.map_err(GatherError::Unread)?;
        }
        Ok(())
    }

    async fn put_down(&mut self) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?.into()),
        };
        file.write_all(&self.held).await?;
        self.held.clear();
        Ok(())
    }

    /// All of it; None where nothing came.
    ///
    /// # Errors
    /// Trouble of the disk.
    pub async fn finish(mut self) -> Result<Option<Given>, Problem> {
        if self.file.is_some() {
            self.put_down().await.map_err(GatherError::Unread)?;
        }
        Ok(match self.file {
            Some(mut file) => {
                file.flush().await.map_err(GatherError::Unread)?;
                Some(file.into_std().await.into())
            }
            None if self.held.is_empty() => None,
            None => Some(self.held.into()),
        })
    }
}
