//! The TypeScript types of the windows are written from this crate. `AFTERGLOW_BLESS=1` (`./dev bindings`) writes them anew;
//! without it the test fails when the file in the tree has drifted.

use std::{collections::BTreeMap, path::Path};

use afterglow_model as model;
use ts_rs::{Config, TS, TypeVisitor};

#[derive(Default)]
struct Declarations {
    by_name: BTreeMap<String, String>,
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        let cfg = Config::new().with_large_int("number");
        if T::output_path().is_none() || self.by_name.contains_key(&T::ident(&cfg)) {
            return;
        }
        let docs = T::docs().unwrap_or_default();
        self.by_name.insert(T::ident(&cfg), format!("{docs}export {}\n", T::decl(&cfg)));
        T::visit_dependencies(self);
    }
}

macro_rules! collect {
    ($into:ident: $($name:ident),* $(,)?) => { $( $into.visit::<model::$name>(); )* };
}

#[test]
fn typescript_types_are_those_of_the_model() {
    let mut declarations = Declarations::default();
    collect!(declarations:
        Event, Status, Activity, Health, Settings, Source, SuggestedSource, AddSource, AssetCollection, AlbumTitle, EditAlbum,
        SetFavorite, MonthSection, AssetPage, AssetDetail, AddDestination, AddedDestination, FoundReceiver, PairReceiver, SetCredential, DestinationAddresses, SetAddresses, BeginSignIn, SignIn, SignInState, DestinationTest,
        Destination, Rule, AddRule, CreateUpload, UploadPreview, JobIds, Changed, JobPage, JobQuery, Explanation, PauseRequest,
        UploadAnyway, App, SetAccess, AppLogEntry, OpenPane, ApiError, Prompt, UploadJobOptions,
        Simulate, Simulation, UploadRun, BeginSpaceCheck, SpaceCheck, MoveToTrash, MovedToTrash,
    );
    let mut text = String::from("// Written by `./dev bindings` from src-tauri/model. Do not edit.\n\n");
    for declaration in declarations.by_name.values() {
        text.push_str(declaration);
        text.push('\n');
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/api/types.ts");
    if std::env::var_os("AFTERGLOW_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("the path has a folder")).expect("the folder can be made");
        std::fs::write(&path, &text).expect("the types can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "ui/src/api/types.ts has drifted from src-tauri/model: run ./dev bindings");
}
