use std::{
    error::Error,
    fmt::Debug,
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use bytes::Bytes;
use ropewalk_model::{ChatMessage, ChatPart, ModelRequest};
use ropewalk_store::Scope;
use ropewalk_types::FileId;

/// Most bytes of one image that a model is shown, and of all images of one request.
const MAX_IMAGE_BYTES: u64 = 20 * 1024 * 1024;
const MAX_IMAGES_BYTES: u64 = 50 * 1024 * 1024;

/// Where runs read image files from.
#[async_trait]
pub trait FileSource: Debug + Send + Sync + 'static {
    /// The whole image. Reads no more than `max_bytes` of it, plus what it takes to know that there is more.
    ///
    /// # Errors
    ///
    /// [`NoImage`]; the model is told of it in the image's place.
    async fn image(&self, scope: &Scope, file: &FileId, max_bytes: u64) -> Result<Image, NoImage>;
}

/// An image as models take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `image/png`, `image/jpeg`, `image/gif` or `image/webp`.
    pub media_type: String,
    /// The file.
    pub bytes: Bytes,
}

/// Why the model is not shown an image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoImage {
    /// The file does not exist in this organisation, or does no more.
    #[error("it does not exist, or was deleted")]
    Missing,
    /// The file is larger than was asked for.
    #[error("it is too large to be shown")]
    TooLarge,
    /// The file is something else.
    #[error("it is no image")]
    NotAnImage,
    /// The file could not be read; the cause goes to the log.
    #[error("it cannot be read now")]
    Unreadable(#[source] Box<dyn Error + Send + Sync>),
}

/// The source of one server, set once.
#[derive(Debug, Default)]
pub(crate) struct Images(OnceLock<Arc<dyn FileSource>>);

impl Images {
    pub(crate) fn set(&self, source: Arc<dyn FileSource>) {
        // Set twice, the first stays.
        drop(self.0.set(source));
    }

    /// Puts the bytes of each image file in `request` in its place, as a `data:` URL, the newest first; or a text
    /// that says why not.
    pub(crate) async fn fill(&self, request: &mut ModelRequest, scope: &Scope) {
        let mut left = MAX_IMAGES_BYTES;
        for message in request.messages.iter_mut().rev() {
            let ChatMessage::User(parts) = message else { continue };
            for part in parts.iter_mut().rev() {
                let ChatPart::ImageFile { file, detail } = part else { continue };
                *part = match self.load(scope, file, left.min(MAX_IMAGE_BYTES)).await {
                    Ok(image) => {
                        left -= image.bytes.len() as u64;
                        ChatPart::ImageUrl { url: data_url(&image), detail: *detail }
                    }
                    Err(why) => ChatPart::Text(format!("[The image file {file} is not shown: {why}.]")),
                };
            }
        }
    }

    async fn load(&self, scope: &Scope, file: &FileId, max_bytes: u64) -> Result<Image, NoImage> {
        let source = self.0.get().ok_or(NoImage::Missing)?;
        match source.image(scope, file, max_bytes).await {
            Ok(image) if image.bytes.len() as u64 > max_bytes => Err(NoImage::TooLarge),
            Ok(image) if !image.media_type.starts_with("image/") => Err(NoImage::NotAnImage),
            Err(NoImage::Unreadable(error)) => {
                tracing::warn!(%file, error = &*error as &dyn Error, "image not read");
                Err(NoImage::Unreadable(error))
            }
            found => found,
        }
    }
}

/// The image as a `data:` URL, in base64.
fn data_url(Image { media_type, bytes }: &Image) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let head = format!("data:{media_type};base64,");
    let mut url = String::with_capacity(head.len() + bytes.len().div_ceil(3) * 4);
    url.push_str(&head);
    for three in bytes.chunks(3) {
        let at = |place: usize| u32::from(three.get(place).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let six = (bits >> (18 - 6 * digit) & 63) as usize;
            url.push(if digit <= three.len() { char::from(DIGITS[six]) } else { '=' });
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_base64() {
        for (bytes, base64) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("fooba", "Zm9vYmE=")]
        {
            let image = Image { media_type: "image/png".to_owned(), bytes: Bytes::from(bytes) };
            assert_eq!(data_url(&image), format!("data:image/png;base64,{base64}"));
        }
    }
}
