//! What is said about an address that photos and password would go to unencrypted.

use afterglow_client::ClientError;

/// A refusal with the option that allows it, if it is about that.
pub(super) fn how_to_allow(error: ClientError) -> anyhow::Error {
    let is_about_it = match &error {
        ClientError::Refused(refused) => refused.code == "unencrypted",
        ClientError::NotRunning(_)
        | ClientError::Start(_)
        | ClientError::NoHome
        | ClientError::Broken(_)
        | ClientError::File { .. } => false,
    };
    if is_about_it {
        return anyhow::Error::msg(format!("{error}\nIf it is in your own network, repeat this with: --cleartext"));
    }
    error.into()
}
