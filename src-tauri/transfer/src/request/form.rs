//! `multipart/form-data` (RFC 7578) around a file.

use afterglow_model::{Failure, FormField};
use bytes::Bytes;

use super::template::Values;
use crate::{destination::Content, name};

/// What stands before and after the file.
pub(super) struct Frame {
    pub(super) content_type: String,
    pub(super) head: Bytes,
    pub(super) tail: Bytes,
}

/// The fields in their order, then the file.
pub(super) fn frame(file_field: &str, fields: &[FormField], content: &Content, values: &Values<'_>) -> Result<Frame, Failure> {
    // The same for the same request, so that a repeat is one byte for byte; long enough that no photo holds it.
    let boundary = format!("afterglow-{}{}", content.key, &crate::driver::base16(&content.digest)[..16]);
    let mut head = String::new();
    for field in fields {
        let value = values.fill(&field.value)?;
        head += &format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{value}\r\n", quoted(&field.name));
    }
    head += &format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
        quoted(file_field),
        quoted(&name::safe(&content.filename)),
        super::content_type(content)
    );
    Ok(Frame {
        content_type: format!("multipart/form-data; boundary={boundary}"),
        head: head.into(),
        tail: format!("\r\n--{boundary}--\r\n").into(),
    })
}

/// A name within quotes, as browsers write it (WHATWG HTML, section 4.10.21.8).
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::session::tests::content;

    #[test]
    fn a_form_holds_its_fields_and_the_name_of_the_file() {
        let content = content();
        let fields = [FormField { name: "a\"b".to_owned(), value: "{{byte_count}}\r\nbytes".to_owned() }];
        let frame = frame("file", &fields, &content, &Values { content: &content, after: None }).unwrap();
        let head = String::from_utf8(frame.head.to_vec()).unwrap();
        let boundary = frame.content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        assert!(
            head.starts_with(&format!("--{boundary}\r\nContent-Disposition: form-data; name=\"a%22b\"\r\n\r\n7\r\nbytes\r\n")),
            "{head}"
        );
        assert!(head.ends_with("Content-Type: image/jpeg\r\n\r\n"), "{head}");
        assert_eq!(frame.tail, format!("\r\n--{boundary}--\r\n"));
    }
}
