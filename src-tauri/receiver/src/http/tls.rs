//! How an encrypted connection begins.

use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What TLS begins with: a record that belongs to a handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
/// Read at once from the network. TLS itself asks for a quarter of a record at a time, each time by a call of the system.
const READ_BYTES: usize = 64 * 1024;

/// A connection whose first byte has come.
pub(crate) enum Begun<S> {
    /// Keys are agreed on.
    Encrypted(Box<TlsStream<BufReader<S>>>),
    /// Something else than TLS is spoken.
    Open(BufReader<S>),
}

/// Hears what is spoken, and agrees on keys if it is TLS.
pub(crate) async fn begin<S: AsyncRead + AsyncWrite + Unpin>(stream: S, acceptor: &TlsAcceptor) -> io::Result<Begun<S>> {
    let mut stream = BufReader::with_capacity(READ_BYTES, stream);
    match stream.fill_buf().await?.first() {
        Some(&HANDSHAKE) => Ok(Begun::Encrypted(Box::new(acceptor.accept(stream).await?))),
        Some(_) => Ok(Begun::Open(stream)),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
