//! A session: of use in the generation of the library that it was opened in, and only while it is still ours.

use std::sync::Arc;
use std::time::Instant;

use cryptoki::error::Result as Answer;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::Slot;

use super::module::Module;
use super::{KeyError, TokenFault};
use crate::keys::random;
use crate::limits;

/// What a session may do. Most tokens allow few sessions that write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// An open session, alone in its thread's hands (PKCS #11 v2.40 §2.6.7).
pub(super) struct Visit {
    module: Arc<Module>,
    generation: u64,
    /// None only while it is being dropped.
    session: Option<Session>,
    /// A session object with a random value. It ends with its session, so where it is not found unchanged, the handle
    /// is no longer ours: somebody finalised and initialised the library behind our back, which nothing else tells.
    mark: Option<(ObjectHandle, [u8; 16])>,
    until: Instant,
}

impl Visit {
    /// Opens a session. `until` is how long its caller waits.
    pub(super) fn open(
        module: &Arc<Module>,
        generation: u64,
        slot: Slot,
        access: Access,
        until: Instant,
    ) -> Result<Self, TokenFault> {
        // Not closed by itself: a handle that may be a stranger's is left alone.
        let session = module.call(generation, until, |library| match access {
            Access::Read => library.open_ro_session_no_drop(slot),
            Access::Write => library.open_rw_session_no_drop(slot),
        })?;
        let session = Some(session.map_err(TokenFault::while_doing("C_OpenSession"))?);
        Ok(Self { module: module.clone(), generation, session, mark: None, until })
    }

    /// For whom it works now, and until when they wait.
    pub(super) fn works_until(&mut self, until: Instant) {
        self.until = until;
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Passes the gate with calls in this session.
    pub(super) fn call<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Session) -> Answer<T>,
    ) -> Result<T, TokenFault> {
        let Some(session) = &self.session else { return Err(TokenFault::Finalised) };
        self.module.call(self.generation, self.until, |_| work(session))?.map_err(TokenFault::while_doing(doing))
    }

    /// Puts the mark in. A token that takes no data objects goes without; then the generation alone guards the handle.
    pub(super) fn put_mark(&mut self) -> Result<(), KeyError> {
        let value = random::<16>()?;
        let template = [
            Attribute::Class(ObjectClass::DATA),
            Attribute::Token(false),
            Attribute::Private(false),
            Attribute::Value(value.to_vec()),
        ];
        self.mark = self.call("C_CreateObject", |session| session.create_object(&template)).ok().map(|at| (at, value));
        Ok(())
    }

    /// Whether the handle is still that of the session that was opened.
    pub(super) fn is_ours(&self) -> bool {
        let Some((mark, value)) = self.mark else { return true };
        let read = self.call("C_GetAttributeValue", |session| session.get_attributes(mark, &[AttributeType::Value]));
        matches!(read.as_deref(), Ok([Attribute::Value(read)]) if *read == value)
    }

    // — objects

    /// The only object of this class with this label, if there is one.
    pub(super) fn the_one(&self, class: ObjectClass, label: &str) -> Result<Option<ObjectHandle>, KeyError> {
        match self.find(class, label)?.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            many => Err(KeyError::Ambiguous { label: label.to_owned(), count: many.len() }),
        }
    }

    pub(super) fn find(&self, class: ObjectClass, label: &str) -> Result<Vec<ObjectHandle>, KeyError> {
        // An empty attribute matches nothing by the standard and everything in some libraries.
        if label.is_empty() {
            return Ok(vec![]);
        }
        self.matching(&[Attribute::Class(class), Attribute::Label(label.into())])
    }

    pub(super) fn matching(&self, template: &[Attribute]) -> Result<Vec<ObjectHandle>, KeyError> {
        let found = self.call("C_FindObjects", |session| {
            session.iter_objects(template)?.take(limits::KEYS + 1).collect::<Answer<Vec<_>>>()
        })?;
        if found.len() > limits::KEYS { Err(KeyError::TooMany) } else { Ok(found) }
    }

    pub(super) fn attributes(
        &self,
        object: ObjectHandle,
        wanted: &[AttributeType],
    ) -> Result<Vec<Attribute>, TokenFault> {
        self.call("C_GetAttributeValue", |session| session.get_attributes(object, wanted))
    }

    /// Whether a private key can leave the token, as the token tells it. What it does not tell counts as yes.
    pub(super) fn is_copyable(&self, private: ObjectHandle) -> Result<bool, TokenFault> {
        let said = self.attributes(private, &[AttributeType::Sensitive, AttributeType::Extractable])?;
        let sensitive = said.iter().any(|attribute| matches!(attribute, Attribute::Sensitive(true)));
        let kept = said.iter().any(|attribute| matches!(attribute, Attribute::Extractable(false)));
        Ok(!(sensitive && kept))
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if self.mark.is_some() && !self.is_ours() {
            return;
        }
        if let Some(session) = self.session.take() {
            // Where it does not pass the gate it is forgotten, and not closed.
            let _ = self.module.call(self.generation, self.until, |_| session.close());
        }
    }
}
