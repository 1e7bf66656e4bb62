//! What people use today, each with its best flags.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use afterglow_tests::servers::{DAV_SECRET, DAV_USER, has_package, program, servers};
use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use url::Url;

use super::server::{BUCKET, IMMICH_KEY, Kind, S3_KEY, S3_SECRET, Server};

/// A client of others.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    program: PathBuf,
    way: Way,
}

#[derive(Clone, Copy)]
enum Way {
    RcloneS3,
    S5cmd,
    Aws,
    TusJs,
    RcloneWebdav,
    Curl,
    Immich,
}

impl Way {
    fn all(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::S3 => &[Self::RcloneS3, Self::S5cmd, Self::Aws],
            Kind::Tus => &[Self::TusJs],
            Kind::Webdav => &[Self::RcloneWebdav, Self::Curl],
            Kind::Sink | Kind::Resumable => &[],
            Kind::Immich => &[Self::Immich],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::RcloneS3 | Self::RcloneWebdav => "rclone",
            Self::S5cmd => "s5cmd",
            Self::Aws => "aws",
            Self::TusJs => "tus-js-client",
            Self::Curl => "curl",
            Self::Immich => "@immich/cli",
        }
    }

    fn program(self) -> Option<PathBuf> {
        match self {
            Self::RcloneS3 | Self::RcloneWebdav => program("rclone"),
            Self::S5cmd => s5cmd(),
            Self::Aws => program("aws"),
            Self::TusJs => program("node").filter(|_| has_package("tus-js-client")),
            Self::Curl => program("curl"),
            Self::Immich => program("node").filter(|_| has_package("@immich/cli")),
        }
    }
}

/// The program itself: what lies in `bin` is a wrapper in Python, whose start would be measured too.
fn s5cmd() -> Option<PathBuf> {
    let versions = fs::read_dir(servers().join("venv/lib")).into_iter().flatten().flatten();
    let mut places = versions.map(|version| version.path().join("site-packages/s5cmd/bin/s5cmd"));
    places.find(|file| file.is_file()).or_else(|| program("s5cmd"))
}

impl Server {
    /// Peers that would upload to it, and are not installed.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        Way::all(self.kind).iter().filter(|way| way.program().is_none()).map(|way| way.name()).collect()
    }
}

impl Peer {
    /// All that upload to servers of a kind; none for one that is not installed.
    pub(crate) fn all(kind: Kind) -> Vec<Option<Self>> {
        Way::all(kind).iter().map(|way| Some(Self { name: way.name(), program: way.program()?, way: *way })).collect()
    }

    /// The upload of a folder; what the peer remembers from one start to the next is in `state`.
    pub(crate) fn command(&self, url: &Url, folder: &Path, state: &Path) -> Result<Command> {
        let mut command = Command::new(&self.program);
        let origin = url.origin().ascii_serialization();
        command.current_dir(state).env_remove("AWS_CA_BUNDLE");
        match self.way {
            Way::RcloneS3 => {
                rclone(&mut command, folder, &format!("t:{BUCKET}"));
                command.args(["--s3-no-head", "--s3-disable-checksum", "--s3-no-check-bucket"]);
                command.envs([("RCLONE_CONFIG_T_TYPE", "s3"), ("RCLONE_CONFIG_T_PROVIDER", "Other")]);
                command.envs([("RCLONE_CONFIG_T_REGION", "us-east-1"), ("RCLONE_CONFIG_T_FORCE_PATH_STYLE", "true")]);
                command.envs([("RCLONE_CONFIG_T_ACCESS_KEY_ID", S3_KEY), ("RCLONE_CONFIG_T_SECRET_ACCESS_KEY", S3_SECRET)]);
                command.env("RCLONE_CONFIG_T_ENDPOINT", origin);
            }
            Way::S5cmd => {
                keys(&mut command);
                command.args(["--log", "error", "--numworkers", "8", "--endpoint-url", &origin, "cp"]);
                command.args([format!("{}/", folder.display()), format!("s3://{BUCKET}/")]);
            }
            Way::Aws => {
                keys(&mut command);
                command.envs([("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required"), ("AWS_CONFIG_FILE", "/dev/null")]);
                command.args(["--endpoint-url", &origin, "s3", "cp", "--recursive", "--only-show-errors"]);
                command.arg(folder).arg(format!("s3://{BUCKET}/"));
            }
            Way::TusJs => {
                let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/upload/tus.mjs");
                command.arg(script).arg(url.as_str()).args([folder, state]).env("SERVERS", servers());
            }
            Way::RcloneWebdav => {
                rclone(&mut command, folder, "t:");
                let login = STANDARD.encode(format!("{DAV_USER}:{DAV_SECRET}"));
                command.args(["--webdav-pacer-min-sleep", "0", "--header", &format!("Authorization: Basic {login}")]);
                command.envs([("RCLONE_CONFIG_T_TYPE", "webdav"), ("RCLONE_CONFIG_T_VENDOR", "other")]);
                command.env("RCLONE_CONFIG_T_URL", url.as_str());
            }
            Way::Curl => {
                let list = state.join("files");
                fs::write(&list, curl_list(url, folder)?)?;
                command.args(["--silent", "--fail", "--parallel", "--parallel-max", "8", "--header", "Expect:"]);
                command.args(["--retry", "30", "--retry-all-errors", "--retry-delay", "1"]);
                command.args(["--user", &format!("{DAV_USER}:{DAV_SECRET}"), "--config"]).arg(list);
            }
            Way::Immich => {
                command.arg(servers().join("node_modules/.bin/immich")).env("IMMICH_CONFIG_DIR", state);
                command.args(["--url", &format!("{origin}/api"), "--key", IMMICH_KEY, "upload", "--recursive", "--no-progress"]);
                command.args(["--concurrency", "8"]).arg(folder);
            }
        }
        Ok(command)
    }
}

fn rclone(command: &mut Command, folder: &Path, to: &str) {
    command.arg("copy").arg(folder).args([to, "--transfers", "8", "--low-level-retries", "20"]).env("RCLONE_CONFIG", "/dev/null");
}

fn keys(command: &mut Command) {
    command.envs([("AWS_ACCESS_KEY_ID", S3_KEY), ("AWS_SECRET_ACCESS_KEY", S3_SECRET)]);
    command.envs([("AWS_REGION", "us-east-1"), ("AWS_EC2_METADATA_DISABLED", "true")]);
}

/// Uploads as curl reads them from a file (`--config`).
fn curl_list(url: &Url, folder: &Path) -> Result<String> {
    let mut list = String::new();
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        let name = file.file_name().and_then(|name| name.to_str()).context("a name")?;
        list += &format!("upload-file = \"{}\"\nurl = \"{}\"\noutput = \"/dev/null\"\n", file.display(), url.join(name)?);
    }
    Ok(list)
}
