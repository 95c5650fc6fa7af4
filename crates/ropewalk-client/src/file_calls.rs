//! The calls that send or get the bytes of files.

use bytes::{BufMut, Bytes, BytesMut};
use http::{Response, header::CONTENT_TYPE};
use ropewalk_transport::Body;
use ropewalk_types::{AddUploadPart, CreateFile, Endpoint, File, FileId, UploadId, UploadPart, endpoint};

use crate::{
    Client, ClientError,
    client::{invalid, read},
    generated::{Files, Uploads},
    query::pairs,
};

/// Most bytes of a file that is read whole.
const MAX_FILE_BYTES: usize = 512 << 20;

impl Files<'_> {
    /// Stores a file.
    ///
    /// `POST /files`. The bytes are held in memory, so that they can be sent again; what is larger than 512 MiB comes
    /// in parts, by [`Client::uploads`].
    pub async fn create(
        self,
        body: CreateFile,
        filename: &str,
        bytes: impl Into<Bytes>,
    ) -> Result<File, ClientError> {
        let reply = self.0.send_form::<endpoint::CreateFile>((), &body, filename, &bytes.into()).await?;
        read::<endpoint::CreateFile>(reply).await.map(|(file, _)| file)
    }

    /// Gets the bytes of a file, up to 512 MiB.
    ///
    /// `GET /files/{file_id}/content`
    pub async fn content(self, file_id: impl Into<FileId>) -> Result<Bytes, ClientError> {
        let reply = self.0.send::<endpoint::DownloadFile>((file_id.into(),), (), ()).await?;
        Ok(reply.into_body().collect(MAX_FILE_BYTES).await?)
    }
}

impl Uploads<'_> {
    /// Adds a part to an upload, up to 64 MiB.
    ///
    /// `POST /uploads/{upload_id}/parts`
    pub async fn add_part(
        self,
        upload_id: impl Into<UploadId>,
        bytes: impl Into<Bytes>,
    ) -> Result<UploadPart, ClientError> {
        let (path, body) = ((upload_id.into(),), AddUploadPart::default());
        let reply = self.0.send_form::<endpoint::AddUploadPart>(path, &body, "part", &bytes.into()).await?;
        read::<endpoint::AddUploadPart>(reply).await.map(|(part, _)| part)
    }
}

impl Client {
    async fn send_form<E: Endpoint>(
        &self,
        path: E::Path,
        body: &E::Body,
        filename: &str,
        bytes: &Bytes,
    ) -> Result<Response<Body>, ClientError> {
        let fields = pairs(body).map_err(invalid)?;
        let (boundary, form) = form(&fields, E::INFO.multipart.unwrap_or_default(), filename, bytes);
        let request = self.head::<E>(&path, &E::Query::default())?;
        let request = request.header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"));
        self.exchange(request.body(Body::from(form)).map_err(invalid)?).await
    }
}

/// A form of text fields and one part with bytes, and the boundary between its parts (RFC 7578).
fn form(fields: &[(String, String)], part: &str, filename: &str, bytes: &Bytes) -> (String, Bytes) {
    let boundary = boundary(fields, bytes);
    let mut form = BytesMut::with_capacity(bytes.len() + 1024);
    let mut begin = |header: &str, content: &[u8]| {
        form.put_slice(
            format!("--{boundary}\r\nContent-Disposition: form-data; {header}\r\n\r\n").as_bytes(),
        );
        form.put_slice(content);
        form.put_slice(b"\r\n");
    };
    for (name, text) in fields {
        begin(&format!("name=\"{}\"", quoted(name)), text.as_bytes());
    }
    let header = format!(
        "name=\"{}\"; filename=\"{}\"\r\nContent-Type: application/octet-stream",
        quoted(part),
        quoted(filename)
    );
    begin(&header, bytes);
    form.put_slice(format!("--{boundary}--\r\n").as_bytes());
    (boundary, form.freeze())
}

/// A line that none of the contents has in it: as long as needed.
fn boundary(fields: &[(String, String)], bytes: &[u8]) -> String {
    let mut boundary = "ropewalk".to_owned();
    let contents = fields.iter().map(|(_, text)| text.as_bytes()).chain([bytes]);
    while contents.clone().any(|content| memchr::memmem::find(content, boundary.as_bytes()).is_some()) {
        boundary.push_str(&format!("-{}", boundary.len()));
    }
    boundary
}

/// A name inside quotes, as browsers write it.
fn quoted(name: &str) -> String {
    name.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_written_as_browsers_write_it() {
        let fields = [("purpose".to_owned(), "assistants".to_owned())];
        let (boundary, form) = form(&fields, "file", "a \"b\".txt", &Bytes::from_static(b"long\nrope"));
        assert_eq!(boundary, "ropewalk");
        assert_eq!(
            std::str::from_utf8(&form).unwrap(),
            "--ropewalk\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nassistants\r\n--ropewalk\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"a %22b%22.txt\"\r\n\
             Content-Type: application/octet-stream\r\n\r\nlong\nrope\r\n--ropewalk--\r\n"
        );
    }

    #[test]
    fn no_content_holds_the_boundary() {
        let content = Bytes::from_static(b"ropewalk ropewalk-8 ropewalk-8-10");
        let (boundary, _) = form(&[], "file", "x", &content);
        assert!(!String::from_utf8_lossy(&content).contains(&boundary));
    }
}
