/**
 * What the windows need of the world: the service's verbs, and a few things that only a desktop can do.
 *
 * Two implementations: `tauri.ts` in the product, `mock.ts` in a plain browser. Every verb rejects with an `ApiError`, whose
 * message is a sentence for people.
 */
import type {
  Activity,
  AddDestination,
  AddedDestination,
  App,
  AppId,
  AppLogEntry,
  AssetCollection,
  AssetDetail,
  AssetId,
  AssetPage,
  BeginSignIn,
  BeginSpaceCheck,
  Changed,
  CollectionId,
  CreateUpload,
  Destination,
  DestinationAddresses,
  DestinationConfig,
  DestinationId,
  DestinationTest,
  EditAlbum,
  Event,
  FoundReceiver,
  JobId,
  JobPage,
  JobQuery,
  MonthSection,
  MovedToTrash,
  OverrideScope,
  PairReceiver,
  PauseRequest,
  Prompt,
  PromptId,
  Rule,
  RuleId,
  AccessAnswer,
  SetCredential,
  Settings,
  SignIn,
  SignInId,
  SignInState,
  Source,
  SourceId,
  SpaceCheck,
  SpaceCheckId,
  Status,
  SuggestedSource,
  UploadJobOptions,
  UploadPreview,
  UploadRun,
} from "./types";

/** Whether the service can be reached; `message` says why not. */
export interface Connection {
  connected: boolean;
  message: string | null;
}

/** Files dragged over a window from the file manager. */
export type FileDrag = { type: "enter"; paths: string[] } | { type: "drop"; paths: string[] } | { type: "leave" };

/** Widths, in pixels, that the service keeps thumbnails in. */
export type ThumbnailSize = 256 | 512 | 1024;

/** Ends a subscription. */
export type Unsubscribe = () => void;

/** A query with only the narrowing that is wanted. */
export type Jobs = Partial<JobQuery>;

export interface Backend {
  /** Asks whether the service answers. In the product this starts it if it does not run. */
  connection(): Promise<Connection>;
  /** Everything that changes, from now on. */
  onEvent(listener: (event: Event) => void): Unsubscribe;
  onConnection(listener: (connection: Connection) => void): Unsubscribe;

  status(): Promise<Status>;
  activity(): Promise<Activity>;
  /** Times in which uploads went on, newest first. */
  history(): Promise<UploadRun[]>;
  pause(request: PauseRequest): Promise<Status>;
  resume(): Promise<Status>;
  uploadAnyway(scope: OverrideScope): Promise<Status>;

  collections(): Promise<AssetCollection[]>;
  createAlbum(title: string): Promise<AssetCollection>;
  renameAlbum(id: CollectionId, title: string): Promise<AssetCollection>;
  deleteAlbum(id: CollectionId): Promise<void>;
  editAlbum(id: CollectionId, edit: EditAlbum): Promise<AssetCollection>;
  months(id: CollectionId): Promise<MonthSection[]>;
  /** Newest first; `limit` is 500 at most. */
  assets(id: CollectionId, offset: number, limit: number): Promise<AssetPage>;
  asset(id: AssetId): Promise<AssetDetail>;
  setFavorite(assetIds: AssetId[], isFavorite: boolean): Promise<void>;
  thumbnailUrl(id: AssetId, size: ThumbnailSize): string;

  jobs(query: Jobs): Promise<JobPage>;
  retry(jobIds: JobId[]): Promise<Changed>;
  cancel(jobIds: JobId[]): Promise<Changed>;
  previewUpload(upload: CreateUpload): Promise<UploadPreview>;
  upload(upload: CreateUpload): Promise<UploadPreview>;

  apps(): Promise<App[]>;
  setAccess(id: AppId, answer: AccessAnswer): Promise<App>;
  appSelection(id: AppId): Promise<AssetId[]>;
  appLog(id: AppId): Promise<AppLogEntry[]>;
  prompts(): Promise<Prompt[]>;
  answerPrompt(id: PromptId, answer: AccessAnswer): Promise<void>;

  destinations(): Promise<Destination[]>;
  addDestination(request: AddDestination): Promise<AddedDestination>;
  /** Searches the local network, which takes some seconds. */
  receivers(): Promise<FoundReceiver[]>;
  pairReceiver(request: PairReceiver): Promise<AddedDestination>;
  testDestination(id: DestinationId): Promise<DestinationTest>;
  signIn(id: DestinationId, credential: SetCredential): Promise<Destination>;
  /** What its connector has to know, as a whole; tested before it is kept. */
  setDestinationConfig(id: DestinationId, config: DestinationConfig): Promise<Destination>;
  /** Its addresses in the order in which they are tried, and the one that is used now. */
  addresses(id: DestinationId): Promise<DestinationAddresses>;
  /** Replaces them; each that is new is tried out, and refused if another server answers there. */
  setAddresses(id: DestinationId, addresses: string[], cleartext: boolean): Promise<Destination>;
  /** Asks for a page at which the person signs in; `openPage` shows it. */
  beginSignIn(request: BeginSignIn): Promise<SignIn>;
  signInState(id: SignInId): Promise<SignInState>;
  cancelSignIn(id: SignInId): Promise<void>;
  /** The destination's own rules, as a whole. They can only be stricter than the settings. */
  setDestinationOptions(id: DestinationId, options: UploadJobOptions): Promise<Destination>;
  removeDestination(id: DestinationId): Promise<void>;
  /** Begins to look for what could go to the trash; `spaceCheck` tells how far it is. Moves nothing. */
  beginSpaceCheck(request: BeginSpaceCheck): Promise<SpaceCheck>;
  spaceCheck(id: SpaceCheckId): Promise<SpaceCheck>;
  forgetSpaceCheck(id: SpaceCheckId): Promise<void>;
  /** What the person confirmed of what a check offers. */
  moveToTrash(id: SpaceCheckId, assetIds: AssetId[]): Promise<MovedToTrash>;
  rules(): Promise<Rule[]>;
  addRule(collectionId: CollectionId, destinationId: DestinationId): Promise<Rule>;
  removeRule(id: RuleId): Promise<void>;

  settings(): Promise<Settings>;
  saveSettings(settings: Settings): Promise<Settings>;
  sources(): Promise<Source[]>;
  suggestedSources(): Promise<SuggestedSource[]>;
  addSource(path: string): Promise<Source>;
  removeSource(id: SourceId): Promise<void>;
  scan(): Promise<void>;

  pickFolder(): Promise<string | null>;
  pickFiles(): Promise<string[]>;
  /** Opens a web page in the person's browser. */
  openPage(url: string): Promise<void>;
  /** Shows a file in the desktop's file manager. */
  reveal(path: string): Promise<void>;
  showWindow(label: "main" | "drop"): Promise<void>;
  closeWindow(): Promise<void>;
  onFileDrag(listener: (drag: FileDrag) => void): Unsubscribe;
}
