// Written by `cargo xtask codegen`; do not edit.

use ropewalk_types::{self as types, endpoint};

use crate::{Client, ClientError};

/// What [`Client::models`] offers.
///
/// Each method is one request and fails as [`Client::call`] does.
#[derive(Debug, Clone, Copy)]
pub struct Models<'a>(pub(crate) &'a Client);

impl Client {
    /// The endpoints of models.
    pub fn models(&self) -> Models<'_> {
        Models(self)
    }
}

impl Models<'_> {
    /// Lists the models that assistants can be made with.
    ///
    /// `GET /models`
    pub async fn list(self) -> Result<types::ModelList, ClientError> {
        self.0.call::<endpoint::ListModels>((), (), ()).await
    }

    /// Gets a model.
    ///
    /// `GET /models/{model}`
    pub async fn get(self, model: impl Into<types::ModelId>) -> Result<types::Model, ClientError> {
        let path = (model.into(),);
        self.0.call::<endpoint::GetModel>(path, (), ()).await
    }

    /// Refused: models belong to their host, and no caller can delete one.
    ///
    /// `DELETE /models/{model}`
    pub async fn delete(
        self,
        model: impl Into<types::ModelId>,
    ) -> Result<types::Deleted<types::ModelId>, ClientError> {
        let path = (model.into(),);
        self.0.call::<endpoint::DeleteModel>(path, (), ()).await
    }
}
