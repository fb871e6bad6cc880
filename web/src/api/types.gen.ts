// Generated from the management API's OpenAPI document by "make docs"; changes belong to internal/admin.

export type About = {
  /** only this machine reaches the process */
  local: boolean;
  /** there are people who sign in, or an admin token: nobody is let in without */
  sign_in: boolean;
  /** of Sluice; dev: not a release */
  version: string;
};

export type AccountMembership = {
  account: AccountView;
  id: string;
  permissions: Record<string, unknown>;
  roles: string[] | null;
  status: "accepted";
};

export type AccountView = {
  /** null: not known, since accounts are configured */
  created_on: string | null;
  id: string;
  name: string;
  settings: AccountViewSettingsStruct;
  type: "standard";
};

export type AccountViewSettingsStruct = {
  abuse_contact_email: string | null;
  enforce_twofactor: boolean;
};

export type Analytics = {
  basis: "requests" | "attempts";
  /** no request will be added before this time; null: not known */
  complete_until: string | null;
  /** requests whose tokens are estimated or partial */
  estimated: number;
  /** start of the first interval, in the zone */
  from: string;
  /** how many there are in the range; series has limit of them at most */
  groups: number;
  /** 0: one interval for the whole range. Days are not always 24 hours long, nor months 30 days */
  interval_seconds: number;
  /** source rows: requests of the range that have no row, so that nothing is known of them but that they were */
  not_stored: number;
  notes: string[] | null;
  /** there was no time to add up all rows: those before since are missing */
  partial: boolean;
  /** of the period before; null without cmp */
  prev_from: string | null;
  prev_to: string | null;
  series: Series[] | null;
  /** null: all rows were added up */
  since: string | null;
  /** rollups: all traffic, exact. rows: what the log still has of it */
  source: "rollups" | "rows";
  /** start of each interval */
  t: string[] | null;
  to: string;
  tz: string;
  /** requests with usage and no known cost: cost lacks them */
  unpriced: number;
};

export type AttemptView = {
  /** why there was no answer or it did not serve; null: it served */
  cause: string | null;
  /** milliseconds; null: it never came to that */
  connect_ms: number | null;
  /** US dollars, exact to a billionth; null: not known */
  cost: number | null;
  /** milliseconds; null: it never came to that */
  end_ms: number | null;
  /** milliseconds; null: it never came to that */
  first_byte_ms: number | null;
  host: string;
  /** id that the attempt has where attempts are listed */
  id: string;
  model: string;
  provider: string;
  /** the connection had carried a request before */
  reused: boolean;
  /** since the exchange's start */
  start_ms: number | null;
  /** null: no answer */
  status: number | null;
  /** LLM tokens by class; a class that is not known is missing */
  usage: {
    accepted_prediction?: number;
    audio_cache_read?: number;
    audio_input?: number;
    audio_output?: number;
    basis: "none" | "provider" | "estimated" | "partial" | "cached";
    billed_input?: number;
    billed_output?: number;
    cache_read?: number;
    cache_write_1h?: number;
    cache_write_5m?: number;
    characters?: number;
    citations?: number;
    image_input?: number;
    image_output?: number;
    images?: number;
    input?: number;
    milliseconds?: number;
    output?: number;
    pages?: number;
    reasoning?: number;
    rejected_prediction?: number;
    search_units?: number;
    web_searches?: number;
  };
};

export type AuditDifference = {
  /** null: there is none now */
  new: unknown;
  /** null: there was none */
  old: unknown;
  /** names and indexes, with dots between */
  path: string;
};

export type AuditInfo = {
  /** items on this page */
  count: number;
  /** ours: cursor of the page behind this one; null: none */
  next: string | null;
  page: number;
  per_page: number;
};

export type AuditView = {
  action: AuditViewActionStruct;
  actor: AuditViewActorStruct;
  /** ours: what an update changed, 200 at most */
  changes: AuditDifference[] | null;
  /** ours; empty: of no single gateway */
  gateway_id: string;
  id: string;
  interface: "UI" | "CLI" | "API";
  metadata: Record<string, unknown>;
  newValue: string;
  /** the object afterwards, without secrets; {}: there is none */
  newValueJson: unknown;
  oldValue: string;
  /** the object before, without secrets; {}: there was none */
  oldValueJson: unknown;
  owner: AuditViewOwnerStruct;
  resource: AuditViewResourceStruct;
  when: string;
};

export type AuditViewActionStruct = {
  /** in words: gateway updated */
  info: string;
  /** false: it was refused */
  result: boolean;
  /** create, update, delete, open, sign_in, … */
  type: string;
};

export type AuditViewActorStruct = {
  /** of the person; empty for others */
  email: string;
  /** of the person or the gateway token; empty for others */
  id: string;
  ip: string;
  /** ours: the e-mail address, or the gateway token's name */
  name: string;
  /** ours, but for user */
  type: "user" | "gateway_token" | "admin_token" | "local" | "data_dir" | "anonymous";
};

export type AuditViewOwnerStruct = {
  /** of the account; empty: of the whole process */
  id: string;
};

export type AuditViewResourceStruct = {
  id: string;
  /** ours: what people call it */
  name: string;
  /** ai_gateway. and the kind of object: ai_gateway.gateway */
  type: string;
};

export type BodyView = {
  /** not stored for lack of room */
  dropped: boolean;
  /** content encoding; stored bytes have it still */
  encoding: string | null;
  /** not stored because a setting or a header said so */
  off: boolean;
  /** bytes on the wire */
  size: number;
  /** bytes that the log kept, from the beginning */
  stored: number;
  /** the log's cap cut it */
  truncated: boolean;
  type: string | null;
};

export type BudgetUsage = {
  /** what will have been spent at the end of a fixed window if it goes on so; null: too early to say, or a sliding window */
  forecast: number | null;
  /** whether there is room for a call */
  open: boolean;
  /** US dollars, exact to a billionth; null: not known */
  remaining: number | null;
  /** for calls under way */
  reserved: number | null;
  /** until a new window begins (fixed), or until there is room (sliding; 0: there is) */
  reset_seconds: number;
  /** US dollars, exact to a billionth; null: not known */
  spent: number | null;
  /** of the metadata that the rule splits by; null: it does not */
  values: Record<string, string>;
};

export type CacheExplanation = {
  /** as the log entry has it */
  cache_reason: string | null;
  cache_status: "off" | "miss" | "hit";
  /** how many requests were looked at */
  compared: number;
  /** name of the first part that differs; null: none does */
  first_difference: string | null;
  id: string;
  /** of the requests before it whose answers could have been stored, the one with the most in common; null: there is none, or the cache was off */
  nearest: NearestLog;
  /** of the cache key, in order */
  parts: CachePart[] | null;
  /** in a sentence */
  why: string;
};

export type CachePart = {
  /** settings, custom_key, stream, provider, method, path, credential, header.NAME, body, or body with the place in it */
  name: string;
  nearest: string | null;
  /** null: not known, such as of credentials, which the log does not have */
  same: boolean | null;
  /** 200 characters at most; null: it is not there, or not known */
  this: string | null;
};

export type CacheStats = {
  /** false after a start, until the directory was read: disk counts what is known so far */
  complete: boolean;
  /** damaged files that were found and removed, in all accounts */
  corrupt: number;
  disk: CacheTier;
  /** answers that were not written, in all accounts */
  dropped: number;
  /** calls of the store that failed, or were too slow */
  failures: number;
  /** requests that were answered from a stored answer */
  hits: number;
  /** requests that shared the call of an identical one; the log calls them hits too */
  joined: number;
  memory: CacheTier;
  /** requests that the cache was asked for, and that went to the provider */
  misses: number;
  /** calls under way that identical requests can join */
  running: number;
  /** answers that were stored */
  stored: number;
};

export type CacheTier = {
  bytes: number;
  entries: number;
  /** answers that went for want of room, in all accounts */
  evicted: number;
  /** most bytes of all accounts together; 0: there is no such place */
  limit: number;
};

export type CallerView = {
  /** without its last part, but for this machine's own */
  address: string;
  /** name of the header field that carried a credential; null: none did */
  credential: string | null;
  /** gateway token, by name */
  key: string | null;
  user_agent: string;
};

export type ChangePasswordInputBody = {
  /** the present password */
  old: string;
  /** 10 characters at least */
  password: string;
};

export type ChargeView = {
  /** its part of the entry's cost; null: not told apart from the rest */
  cost: number | null;
  /** empty: not told, or of several; it has no price */
  model: string;
  /** null: the ordinary one */
  service_tier: string | null;
  /** LLM tokens by class; a class that is not known is missing */
  usage: {
    accepted_prediction?: number;
    audio_cache_read?: number;
    audio_input?: number;
    audio_output?: number;
    basis: "none" | "provider" | "estimated" | "partial" | "cached";
    billed_input?: number;
    billed_output?: number;
    cache_read?: number;
    cache_write_1h?: number;
    cache_write_5m?: number;
    characters?: number;
    citations?: number;
    image_input?: number;
    image_output?: number;
    images?: number;
    input?: number;
    milliseconds?: number;
    output?: number;
    pages?: number;
    reasoning?: number;
    rejected_prediction?: number;
    search_units?: number;
    web_searches?: number;
  };
};

export type CheckLinkInputBody = {
  /** what stands behind # in the link */
  link: string;
};

export type Config = {
  /** why the last reload was refused; the settings before it are in force */
  error: string;
  /** when it was refused */
  failed_at?: string;
  /** empty: there is none */
  file: string;
  loaded: string;
  warnings: string[] | null;
};

export type Conflicting = {
  /** what is there now */
  current: unknown;
  /** what the call wanted */
  sent: unknown;
};

export type CreateDomainInputBody = {
  /** the host name */
  domain: string;
  /** kept and shown, as there are no zones here */
  zone_id?: string;
};

export type CreateEvaluationInputBody = {
  /** a request that several hold counts once */
  dataset_ids: string[] | null;
  evaluation_type_ids: string[] | null;
  name: string;
};

export type CreateMemberInputBody = {
  /** a viewer who sees stored bodies */
  bodies?: boolean;
  email: string;
  /** admin of every account and of the process; only such an admin makes others */
  instance?: boolean;
  name?: string;
  /** in this account; left out: viewer */
  role?: "viewer" | "editor" | "admin";
};

export type CreateRouteDeploymentInputBody = {
  version_id: string;
};

export type CreateRouteInputBody = {
  /** start, conditional, percentage, rate, model and end elements; docs/routes.md describes them */
  elements: {
    id?: string;
    outputs?: Record<string, unknown>;
    properties?: Record<string, unknown>;
    type?: string;
  }[];
  name: string;
};

export type CreateRouteVersionInputBody = {
  /** start, conditional, percentage, rate, model and end elements; docs/routes.md describes them */
  elements: {
    id?: string;
    outputs?: Record<string, unknown>;
    properties?: Record<string, unknown>;
    type?: string;
  }[];
};

export type CreateTokenInputBody = {
  /** left out or null: never */
  expires_at?: string | null;
  /** ids of the gateways that it is good for; left out or null: all of the account, those to come too */
  gateways?: string[] | null;
  /** another one for each valid token of the account; left out: one is made */
  name?: string;
  /** run: calls through a gateway; read, edit: this API. Left out: run */
  permissions?: string[] | null;
  /** to import a value that callers have already: 20 to 1024 visible ASCII characters. Left out: one is made */
  value?: string;
};

export type CreatedLink = {
  expires_at: string;
  /** what stands behind # in the address */
  link: string;
  /** page where it is used */
  url: string;
};

export type CreatedMember = {
  account_id: string;
  /** sees stored bodies: who is more than a viewer, or a viewer who is allowed to */
  bodies: boolean;
  created_at: string;
  email: string;
  /** the identity provider grants the role, anew at each sign-in */
  granted: boolean;
  id: string;
  /** admin of every account, and of the process */
  instance: boolean;
  /** null: never */
  last_sign_in_at: string | null;
  /** shown this once; null: there was such a user already, who signs in as before */
  link: CreatedLink;
  name: string;
  /** in this account */
  role: "viewer" | "editor" | "admin";
  /** how */
  signs_in: "not_yet" | "password" | "oidc" | "both";
};

export type CreatedToken = {
  account_id: string;
  created_at: string;
  /** null: never */
  expires_at: string | null;
  /** ids of the gateways that it is good for; null: all of the account, those to come too */
  gateways: string[] | null;
  /** the last four characters of its value */
  hint: string;
  id: string;
  /** its value was chosen, not made here */
  imported: boolean;
  /** good to a minute or two; null: not known to have been used */
  last_used_at: string | null;
  name: string;
  /** run: calls through a gateway; read, edit: this API */
  permissions: string[] | null;
  /** null: it was not */
  revoked_at: string | null;
  status: "valid" | "expired" | "revoked";
  /** what callers send; shown this once. Left out when it was imported */
  value?: string;
};

export type CreditBalance = {
  balance: number;
  has_default_payment_method: boolean;
  /** null */
  payment_method: CreditBalancePaymentMethodStruct;
  topup_config: TopupConfig;
};

export type CreditBalancePaymentMethodStruct = Record<string, unknown>;

export type CustomDomain = {
  /** where the name should lead */
  cname_target: string;
  /** milliseconds since 1970 */
  created_at: number;
  gateway_id: string;
  hostname: string;
  /** milliseconds since 1970 */
  modified_at: number;
  /** in force at once; DNS and the certificate are yours to set up */
  status: "active";
  /** as it was sent */
  zone_id: string;
};

export type CustomProviderBody = {
  /** ours: header that a stored key goes into */
  auth_header?: string;
  /** ours: word before the key in auth_header */
  auth_scheme?: string;
  /** https address */
  base_url?: string;
  beta?: boolean;
  curl_example?: string;
  description?: string;
  /** left out in a new one: false, and its calls are refused */
  enable?: boolean;
  /** JSON object, as text, of fields to add to each call; empty: none */
  headers?: string;
  js_example?: string;
  link?: string;
  name?: string;
  position?: number;
  /** letters, digits and hyphens; a change cannot change it */
  slug?: string;
};

export type CustomProviderView = {
  account_id: string;
  /** ours: header that a stored key goes into; empty: Authorization, after Bearer */
  auth_header: string;
  /** ours: word before the key in auth_header; empty: none */
  auth_scheme: string;
  /** calls go to it, a slash, and the rest of their path */
  base_url: string;
  beta: boolean;
  created_at: string;
  curl_example: string;
  description: string;
  /** calls may go there */
  enable: boolean;
  /** JSON object, as text, of the fields that are added to each call. Values are not shown, as they may be credentials: sent back as they are shown, they stay; null: there are none */
  headers: string | null;
  id: string;
  js_example: string;
  link: string;
  /** SVG in base64, made of the name */
  logo: string;
  modified_at: string;
  name: string;
  /** in lists */
  position: number;
  /** ours: how calls name it: custom-{slug} */
  provider: string;
  /** without custom-, which stands before it in calls */
  slug: string;
  /** ours. locked: its headers cannot be opened, so its calls are refused */
  status: "ready" | "disabled" | "locked";
  /** ours: another one after every change */
  version: number;
};

export type DataEnvelopeRouteDeploymentList = {
  data: RouteDeploymentList;
  errors: Fault[] | null;
  messages: Message[] | null;
  success: boolean;
};

export type DataEnvelopeRouteList = {
  data: RouteList;
  errors: Fault[] | null;
  messages: Message[] | null;
  success: boolean;
};

export type DataEnvelopeRouteVersionList = {
  data: RouteVersionList;
  errors: Fault[] | null;
  messages: Message[] | null;
  success: boolean;
};

export type DatasetBody = {
  /** left out: true */
  enable?: boolean;
  filters: DatasetFilter[] | null;
  name: string;
};

export type DatasetFilter = {
  key: "created_at" | "request_content_type" | "response_content_type" | "success" | "cached" | "provider" | "model" | "cost" | "tokens" | "tokens_in" | "tokens_out" | "duration" | "feedback";
  operator: "eq" | "contains" | "lt" | "gt";
  /** texts, numbers or booleans, one of which must be met */
  value: (string | number | boolean)[] | null;
};

export type DatasetView = {
  account_id: string;
  account_tag: string;
  created_at: string;
  enable: boolean;
  filters: DatasetFilter[] | null;
  gateway_id: string;
  id: string;
  modified_at: string;
  name: string;
  /** ours: another one after every change */
  version: number;
};

export type DeletedLog = {
  id: string;
};

export type DeletedLogsBody = {
  success: boolean;
};

export type Endpoints = {
  /** of the data plane, as seen by who asks */
  base: string;
  /** by name */
  providers: ProviderView[] | null;
  /** takes a list of steps; over WebSocket, too */
  universal: string;
};

export type Entry = {
  attempt_count?: number;
  attempts?: AttemptView[] | null;
  /** why the cache did not answer, or how it did; null: it was not asked, or answered from an entry */
  cache_reason?: string | null;
  cache_status?: "off" | "miss" | "hit";
  cached?: boolean;
  /** what other models used for the answer, beside usage; part of the cost */
  charges?: ChargeView[] | null;
  /** US dollars, exact to a billionth; null: not known */
  cost?: number | null;
  /** where the cost comes from */
  cost_basis?: "unknown" | "catalogue" | "reported" | "custom" | "cached" | "reserved";
  created_at?: string;
  custom_cost?: boolean;
  /** fields that this list shows in part; ask for them by fields, or get the entry */
  cut?: string[] | null;
  /** milliseconds */
  duration?: number;
  /** how the exchange ended: complete, refused, unreachable, timeout, cut, stalled, error_event, client_gone, client_slow, shutdown, crashed, panic, in_flight */
  ending?: string;
  /** name in the endpoint table; null: not a known one */
  endpoint?: string | null;
  error_kind?: string | null;
  error_text?: string | null;
  event_id?: string | null;
  /** -1 or 1; null: none */
  feedback?: number | null;
  /** why the answer ended, in the provider's word */
  finish?: string | null;
  gateway?: string;
  /** id of the request; an attempt that did not answer has its own */
  id: string;
  /** as the answer names it */
  inference_geo?: string | null;
  /** gateway token, by name */
  key?: string | null;
  metadata?: Record<string, string | number | boolean>;
  method?: string;
  /** as the request asked for it, else as the answer names it */
  model?: string;
  model_type?: string | null;
  notes?: string[] | null;
  /** after the provider, with the query, credentials redacted */
  path?: string;
  /** beginning of what the last message of a user says, else of the prompt, 120 characters at most; a list has it when fields names it. null: there is none, the body is not stored or larger than 256 KB, or the caller may not see bodies */
  preview?: string | null;
  /** version of the price catalogue that the cost was made with */
  prices?: string | null;
  /** slug; empty when the request never named one that exists */
  provider?: string;
  request?: BodyView;
  request_content_type?: string | null;
  /** beginning of the request body, decoded; null: not text, or not stored */
  request_head?: string | null;
  /** whether the head is all of the body */
  request_head_complete?: boolean;
  /** as received, credentials redacted */
  request_headers?: HeaderField[] | null;
  /** bytes */
  request_size?: number;
  /** surface that it came by; null: a provider endpoint */
  request_type?: string | null;
  response?: BodyView;
  response_content_type?: string | null;
  /** beginning of the response body, decoded; null: not text, or not stored */
  response_head?: string | null;
  /** whether the head is all of the body */
  response_head_complete?: boolean;
  /** as sent */
  response_headers?: HeaderField[] | null;
  /** bytes */
  response_size?: number;
  /** by a cache hit; null: it was none */
  saved?: SavingView;
  score?: number | null;
  /** model that the answer names */
  served_model?: string | null;
  /** as the answer names it; null: the ordinary one */
  service_tier?: string | null;
  /** what the client got; 499 when it left before; null: no answer */
  status_code?: number | null;
  /** place in the chain of targets, from 0 */
  step?: number;
  streamed?: boolean;
  success?: boolean;
  timeline?: TimelineView;
  /** null: not known */
  tokens_in?: number | null;
  /** null: not known */
  tokens_out?: number | null;
  trace_id?: string | null;
  /** milliseconds; null: it never came to that */
  ttft?: number | null;
  /** of the model that answered */
  usage?: {
    accepted_prediction?: number;
    audio_cache_read?: number;
    audio_input?: number;
    audio_output?: number;
    basis: "none" | "provider" | "estimated" | "partial" | "cached";
    billed_input?: number;
    billed_output?: number;
    cache_read?: number;
    cache_write_1h?: number;
    cache_write_5m?: number;
    characters?: number;
    citations?: number;
    image_input?: number;
    image_output?: number;
    images?: number;
    input?: number;
    milliseconds?: number;
    output?: number;
    pages?: number;
    reasoning?: number;
    rejected_prediction?: number;
    search_units?: number;
    web_searches?: number;
  };
  usage_basis?: "none" | "provider" | "estimated" | "partial" | "cached";
  user_agent?: string | null;
};

export type EnvelopeAbout = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: About;
  success: boolean;
};

export type EnvelopeAccountView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: AccountView;
  success: boolean;
};

export type EnvelopeAnalytics = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: Analytics;
  success: boolean;
};

export type EnvelopeCacheExplanation = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: CacheExplanation;
  success: boolean;
};

export type EnvelopeCacheStats = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: CacheStats;
  success: boolean;
};

export type EnvelopeCreatedLink = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: CreatedLink;
  success: boolean;
};

export type EnvelopeCreatedMember = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: CreatedMember;
  success: boolean;
};

export type EnvelopeCreatedToken = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: CreatedToken;
  success: boolean;
};

export type EnvelopeCreditBalance = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: CreditBalance;
  success: boolean;
};

export type EnvelopeCustomDomain = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: CustomDomain;
  success: boolean;
};

export type EnvelopeCustomProviderView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: CustomProviderView;
  success: boolean;
};

export type EnvelopeDatasetView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: DatasetView;
  success: boolean;
};

export type EnvelopeDeletedLog = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: DeletedLog;
  success: boolean;
};

export type EnvelopeEndpoints = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: Endpoints;
  success: boolean;
};

export type EnvelopeEvaluationView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: EvaluationView;
  success: boolean;
};

export type EnvelopeFacets = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: Facets;
  success: boolean;
};

export type EnvelopeFullRouteVersion = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: FullRouteVersion;
  success: boolean;
};

export type EnvelopeGatewayView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: GatewayView;
  success: boolean;
};

export type EnvelopeHealth = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: Health;
  success: boolean;
};

export type EnvelopeHelloView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: HelloView;
  success: boolean;
};

export type EnvelopeHistogram = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: Histogram;
  success: boolean;
};

export type EnvelopeJobView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: JobView;
  success: boolean;
};

export type EnvelopeKeyTest = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: KeyTest;
  success: boolean;
};

export type EnvelopeLimitsUsage = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: LimitsUsage;
  success: boolean;
};

export type EnvelopeLimitsVerdict = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: LimitsVerdict;
  success: boolean;
};

export type EnvelopeLinkView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: LinkView;
  success: boolean;
};

export type EnvelopeListFoundKeyView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: FoundKeyView[] | null;
  success: boolean;
};

export type EnvelopeListRelated = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: Related[] | null;
  success: boolean;
};

export type EnvelopeLogTimeline = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: LogTimeline;
  success: boolean;
};

export type EnvelopeMemberView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: MemberView;
  success: boolean;
};

export type EnvelopeModelPriceView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: ModelPriceView;
  success: boolean;
};

export type EnvelopeNewRouteVersion = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: NewRouteVersion;
  success: boolean;
};

export type EnvelopePrices = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: Prices;
  success: boolean;
};

export type EnvelopeProviderConfigView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: ProviderConfigView;
  success: boolean;
};

export type EnvelopePurged = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: Purged;
  success: boolean;
};

export type EnvelopeRotated = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: Rotated;
  success: boolean;
};

export type EnvelopeRouteCheck = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: RouteCheck;
  success: boolean;
};

export type EnvelopeRouteView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: RouteView;
  success: boolean;
};

export type EnvelopeRow = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: Entry;
  success: boolean;
};

export type EnvelopeRunToken = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: RunToken;
  success: boolean;
};

export type EnvelopeSavedView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: SavedView;
  success: boolean;
};

export type EnvelopeSessionView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: SessionView;
  success: boolean;
};

export type EnvelopeStatusView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: StatusView;
  success: boolean;
};

export type EnvelopeStreamEvents = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: StreamEvents;
  success: boolean;
};

export type EnvelopeString = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: string;
  success: boolean;
};

export type EnvelopeSummary = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: Summary;
  success: boolean;
};

export type EnvelopeTokenView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: TokenView;
  success: boolean;
};

export type EnvelopeUserView = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: UserView;
  success: boolean;
};

export type EnvelopeVerifiedToken = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: VerifiedToken;
  success: boolean;
};

export type EvaluationResult = {
  created_at: string;
  evaluation_id: string;
  evaluation_type_id: string;
  id: string;
  modified_at: string;
  /** a decimal number; null: no request had what it needs */
  result: string | null;
  /** 2: done; 3: done over the newest requests only, because there were too many */
  status: number;
  status_description: string;
  /** requests that had what it needs */
  total_logs: number;
};

export type EvaluationType = {
  created_at: string;
  description: string;
  enable: boolean;
  id: string;
  mandatory: boolean;
  modified_at: string;
  name: string;
  type: string;
};

export type EvaluationView = {
  created_at: string;
  /** as they were when they were evaluated */
  datasets: DatasetView[] | null;
  gateway_id: string;
  id: string;
  modified_at: string;
  name: string;
  processed: boolean;
  results: EvaluationResult[] | null;
  /** requests that the datasets hold */
  total_logs: number;
};

export type Facet = {
  requests: number;
  /** empty: requests without such a thing */
  value: string;
};

export type Facets = {
  /** no request will be added before this time; null: not known */
  complete_until: string | null;
  field: string;
  /** requests with further values */
  others: number;
  /** there was no time to look at all rows: those before since are missing */
  partial: boolean;
  /** null: all rows were counted */
  since: string | null;
  /** rollups: all traffic. rows: what the log still has of it */
  source: "rollups" | "rows";
  /** requests in all */
  total: number;
  /** the most frequent first */
  values: Facet[] | null;
};

export type Failure = {
  /** ours: both sides, where a change was made from another version */
  conflict?: Conflicting;
  errors: Fault[] | null;
  messages: Message[] | null;
  /** null */
  result: string | null;
  /** false */
  success: boolean;
};

export type Fault = {
  /** 7000 internal, 7001 invalid input, 7002 not found, 7003 no such path, 10000 authentication */
  code: number;
  /** name of the parameter that is wrong */
  field?: string;
  /** how to put it right */
  hint?: string;
  message: string;
  /** where in the request the fault lies: place, then name */
  path?: string[] | null;
};

export type FoundKeyView = {
  /** of the environment variable */
  name: string;
  provider_slug: string;
  /** the key's last four characters; empty for a short one */
  secret_preview: string;
  /** the gateway has a key for this provider */
  stored: boolean;
};

export type FullRouteVersion = {
  /** whether it is deployed */
  active: "true" | "false";
  created_at: string;
  /** its elements, JSON in a text */
  data: string;
  /** start, conditional, percentage, rate, model and end elements; docs/routes.md describes them */
  elements: {
    id?: string;
    outputs?: Record<string, unknown>;
    properties?: Record<string, unknown>;
    type?: string;
  }[];
  gateway_id: string;
  /** of the route */
  id: string;
  /** whether it can be deployed */
  is_valid: boolean;
  /** ours: what is wrong with it, or perhaps not meant */
  issues: Issue[] | null;
  modified_at: string;
  name: string;
  version_id: string;
};

export type GatewayStatus = {
  id: string;
  last_minute: Traffic;
};

export type GatewayView = {
  account_id: string;
  /** callers need a gateway token; null: nobody said so, and they need none */
  authentication: boolean | null;
  /** no call without a provider key: the caller's own, or a stored one */
  byok_only: boolean | null;
  /** a change of the settings forgets cached answers */
  cache_invalidate_on_update: boolean;
  /** how long answers are cached; 0 or null: off, stored as 0 */
  cache_ttl: number;
  /** write a log entry for each request */
  collect_logs: boolean;
  /** ours: store request and answer bodies with the entry */
  collect_payload: boolean;
  created_at: string;
  /** stored only */
  dlp: unknown;
  /** stored only */
  guardrails: unknown;
  /** ours: most hedged calls, percent of all; 0: none */
  hedge: number;
  id: string;
  is_default: boolean;
  /** stored only */
  log_classification: boolean | null;
  /** most log entries, held within a hundredth; null: none of its own. The log's bound on all gateways together holds, too */
  log_management: number | null;
  /** at log_management: count new requests without an entry, or drop the oldest entries (null, too) */
  log_management_strategy: "STOP_INSERTING" | "DELETE_OLDEST" | null;
  /** stored only */
  logpush: boolean | null;
  /** stored only */
  logpush_public_key: string | null;
  /** ours: most entries of cf-aig-metadata that are kept */
  metadata_entries: number;
  modified_at: string;
  /** ours: who manages it. builtin: it exists by itself; file: the configuration, and it is read-only here; stored: this API */
  origin: "builtin" | "file" | "stored";
  /** stored only: a list of objects with url and headers */
  otel: unknown;
  /** window of the rate limit; 0 or null: off */
  rate_limiting_interval: number | null;
  /** most requests in a window; 0 or null: off */
  rate_limiting_limit: number | null;
  /** fixed: windows cut by the clock, and what null means; sliding: any interval */
  rate_limiting_technique: "fixed" | "sliding" | null;
  /** ours: how long a try waits for the first byte; 0 or null: no bound of its own */
  request_timeout: number | null;
  /** how the wait grows from try to try; null: constant */
  retry_backoff: "constant" | "linear" | "exponential" | null;
  /** wait before the second try */
  retry_delay: number | null;
  /** most tries, the first counted; null: 1 */
  retry_max_attempts: number | null;
  /** what calls may cost in a window: {enabled, rules}, see docs/budgets.md; null: no bound */
  spend_limits: unknown;
  /** stored only */
  store_id: string | null;
  /** stored only */
  stripe: unknown;
  /** ours: another one after every change */
  version: number;
  /** stored only */
  workers_ai_billing_mode: "postpaid" | "unified";
  /** stored only */
  zdr: boolean | null;
};

export type HeaderField = {
  name: string;
  value: string;
};

export type Health = {
  /** no request will be added before this time; null: not known */
  complete_until: string | null;
  from: string;
  /** those that were called, the most called first */
  providers: ProviderHealth[] | null;
  to: string;
};

export type HelloView = {
  /** address of the data plane, as seen by who asks */
  endpoint: string;
  /** calls that came to nothing, newest first; equal ones are one */
  misses: MissView[] | null;
  /** each gateway's first success since the process started, newest first */
  successes: SuccessView[] | null;
};

export type Histogram = {
  /** refused by Sluice, or 429 */
  blocked: number[] | null;
  cached: number[] | null;
  /** the client left */
  cancelled: number[] | null;
  /** no request will be added before this time; null: not known */
  complete_until: string | null;
  error: number[] | null;
  /** start of the first bar */
  from: string;
  interval_seconds: number;
  ok: number[] | null;
  /** there was no time to look at all rows: those before since are missing */
  partial: boolean;
  requests: number[] | null;
  /** null: all rows were counted */
  since: string | null;
  /** rollups: all traffic. rows: what the log still has of it */
  source: "rollups" | "rows";
  /** start of each bar */
  t: string[] | null;
  /** end of the last bar */
  to: string;
  /** requests in all */
  total: number;
};

export type Issue = {
  /** id of the element */
  element?: string;
  /** where: elements[2].properties.limit */
  field: string;
  /** how to put it right */
  hint?: string;
  message: string;
  /** true: the route works, perhaps not as meant */
  warning: boolean;
};

export type JobFile = {
  bytes: number;
  /** when it is removed */
  expires_at: string;
  name: string;
  sha256: string;
  /** media type */
  type: string;
};

export type JobView = {
  /** null: of the whole process */
  account_id: string | null;
  /** who started it */
  actor: string;
  created_at: string;
  /** how much of total is done, in rows or bytes */
  done: number;
  ended_at: string | null;
  /** why it failed */
  error: string | null;
  /** what can be downloaded; null: nothing, or no longer */
  file: JobFile;
  /** null: of no single one */
  gateway: string | null;
  id: string;
  /** what it was asked for; an object that depends on the kind */
  input: unknown;
  kind: string;
  /** milliseconds to the end at that rate; null: not known */
  left_ms: number | null;
  /** what it is doing, in a few words */
  message: string | null;
  /** done in a second; null: not known, or it does not run */
  rate: number | null;
  /** what it tells of its outcome; an object that depends on the kind */
  result: unknown | null;
  /** it has failed or was canceled, and can go on */
  resumable: boolean;
  /** when it was last started */
  started_at: string | null;
  state: "queued" | "running" | "done" | "failed" | "canceled";
  /** null: not known */
  total: number | null;
};

export type JobsInfo = {
  /** items on this page */
  count: number;
  /** cursor of the page behind this one; null: none */
  next: string | null;
  per_page: number;
};

export type KeyTest = {
  duration_ms: number;
  /** why the key is not good, or not known to be */
  error?: string;
  /** the provider took the key */
  ok: boolean;
  /** what was called, below the provider's address */
  path: string;
  /** of the provider's answer; 0: there was none */
  status: number;
};

export type Limits = {
  /** how many are counted, those of the past not yet forgotten among them */
  keys: number;
  /** whether counts outlive the process */
  persistent: boolean;
  /** what went wrong last with their file; empty: nothing */
  trouble: string;
};

export type LimitsUsage = {
  /** null: there is none */
  rate_limit: RateLimitUsage;
  /** the rules in force */
  spend_limits: RuleUsage[] | null;
};

export type LimitsVerdict = {
  allowed: boolean;
  rate_limit: RateLimitUsage;
  /** in a sentence */
  reason: string;
  /** what would be reserved for it; null: no price is known */
  reserves: number | null;
  /** seconds; null: it is allowed, or waiting does not help */
  retry_after: number | null;
  rules: RuleVerdict[] | null;
  /** 200, or what a refusal would have */
  status: number;
};

export type LinkView = {
  /** of whose password it sets; empty: it makes an admin of the process */
  email: string;
};

export type ListEnvelopeAccountMembershipPageInfo = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: AccountMembership[] | null;
  result_info: PageInfo;
  success: boolean;
};

export type ListEnvelopeAccountViewPageInfo = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: AccountView[] | null;
  result_info: PageInfo;
  success: boolean;
};

export type ListEnvelopeAuditViewAuditInfo = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: AuditView[] | null;
  result_info: AuditInfo;
  success: boolean;
};

export type ListEnvelopeCustomDomainPageInfo = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: CustomDomain[] | null;
  result_info: PageInfo;
  success: boolean;
};

export type ListEnvelopeCustomProviderViewPageInfo = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: CustomProviderView[] | null;
  result_info: PageInfo;
  success: boolean;
};

export type ListEnvelopeDatasetViewPageInfo = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: DatasetView[] | null;
  result_info: PageInfo;
  success: boolean;
};

export type ListEnvelopeEvaluationTypePageInfo = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: EvaluationType[] | null;
  result_info: PageInfo;
  success: boolean;
};

export type ListEnvelopeEvaluationViewPageInfo = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: EvaluationView[] | null;
  result_info: PageInfo;
  success: boolean;
};

export type ListEnvelopeGatewayViewPageInfo = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: GatewayView[] | null;
  result_info: PageInfo;
  success: boolean;
};

export type ListEnvelopeJobViewJobsInfo = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: JobView[] | null;
  result_info: JobsInfo;
  success: boolean;
};

export type ListEnvelopeMemberViewPageInfo = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: MemberView[] | null;
  result_info: PageInfo;
  success: boolean;
};

export type ListEnvelopeModelPriceViewPageInfo = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: ModelPriceView[] | null;
  result_info: PageInfo;
  success: boolean;
};

export type ListEnvelopeProviderConfigViewPageInfo = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: ProviderConfigView[] | null;
  result_info: PageInfo;
  success: boolean;
};

export type ListEnvelopeRowLogsInfo = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: Entry[] | null;
  result_info: LogsInfo;
  success: boolean;
};

export type ListEnvelopeSavedViewPageInfo = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: SavedView[] | null;
  result_info: PageInfo;
  success: boolean;
};

export type ListEnvelopeTokenViewPageInfo = {
  errors: Fault[] | null;
  messages: Message[] | null;
  result: TokenView[] | null;
  result_info: PageInfo;
  success: boolean;
};

export type Listener = {
  address: string;
  purpose: "all" | "data" | "admin";
  tls: boolean;
};

export type LogCondition = {
  key: string;
  operator: string;
  /** a text, number or boolean, or a list of them */
  value: unknown;
};

export type LogDeletion = {
  /** count, and delete nothing */
  dry_run?: boolean;
  /** the reference's filters; an entry has to meet q too */
  filters?: LogCondition[] | null;
  /** the filter language, for example status:error provider:openai */
  q?: string;
  /** 24h, 7d, or two RFC 3339 times with .. between, either of which may be missing; left out: all until now */
  range?: string;
};

export type LogExport = {
  /** one row per attempt, or one per request */
  basis?: "attempts" | "requests";
  /** with the stored bodies, decoded, as columns request_body and response_body */
  bodies?: boolean;
  /** fields of an entry, in this order, id always among them; left out: those that a list has */
  columns?: string[] | null;
  /** the reference's filters; an entry has to meet q too */
  filters?: LogCondition[] | null;
  format?: "jsonl" | "csv" | "parquet";
  /** compress the file; Parquet is compressed by itself */
  gzip?: boolean;
  /** the filter language, for example status:error provider:openai */
  q?: string;
  /** 24h, 7d, or two RFC 3339 times with .. between, either of which may be missing; left out: all until now */
  range?: string;
};

export type LogStatus = {
  append_lag_ms: number;
  appended: number;
  /** no entry will be added before this time; null: the log did not answer in time */
  complete_until: string | null;
  disk_bytes: number;
  disk_free: number;
  /** entries whose bodies found no room */
  dropped_bodies: number;
  /** entries that found no room, and are only counted */
  dropped_rows: number;
  index_lag_ms: number;
  last_error: string;
  /** records that may have been longer than 50 ms on their way to a file */
  late: number;
  /** of dropped_rows, those that are not even counted in totals */
  lost_counts: number;
  /** records that the index could not take: in the segments, and in no list */
  not_indexed: number;
  /** faults of the log's own that were contained */
  panics: number;
  queue_bytes: number;
  rows: number;
  /** ok, or what is wrong */
  state: string;
};

export type LogTimeline = {
  /** null: it is still running */
  duration_ms: number | null;
  id: string;
  /** what of it was Sluice's own; null: not known */
  overhead_ms: number | null;
  start: string;
  /** in order of their start */
  steps: Moment[] | null;
};

export type LogsInfo = {
  /** ours: the same */
  approx_total: number | null;
  /** ours: no entry will be added before this time */
  complete_until: string | null;
  /** items on this page */
  count: number;
  /** US dollars, exact to a billionth; null: not known */
  max_cost?: number;
  max_duration?: number;
  max_tokens_in?: number;
  max_tokens_out?: number;
  max_total_tokens?: number;
  /** US dollars, exact to a billionth; null: not known */
  min_cost?: number;
  min_duration?: number;
  min_tokens_in?: number;
  min_tokens_out?: number;
  min_total_tokens?: number;
  /** ours: cursor of the page behind this one; null: none */
  next: string | null;
  page: number;
  /** ours: the search ran out of its time before the page was full; next goes on */
  partial: boolean;
  per_page: number;
  /** ours: cursor of the page before this one; null: none */
  prev: string | null;
  /** requests in all. Of a filtered list it is from roll-ups: where it filters by one of provider, model, status, outcome, key, cache, error_type or a rolled-up metadata key, and on pages without cursor; null otherwise */
  total_count: number | null;
  /** ours: whether the total is counted; it is from roll-ups otherwise, which know whole minutes, and count what was deleted since */
  total_exact: boolean;
  total_pages: number | null;
};

export type MemberView = {
  account_id: string;
  /** sees stored bodies: who is more than a viewer, or a viewer who is allowed to */
  bodies: boolean;
  created_at: string;
  email: string;
  /** the identity provider grants the role, anew at each sign-in */
  granted: boolean;
  id: string;
  /** admin of every account, and of the process */
  instance: boolean;
  /** null: never */
  last_sign_in_at: string | null;
  name: string;
  /** in this account */
  role: "viewer" | "editor" | "admin";
  /** how */
  signs_in: "not_yet" | "password" | "oidc" | "both";
};

export type MembershipView = {
  account_id: string;
  /** a viewer who sees stored bodies */
  bodies: boolean;
  /** the identity provider says so, anew at each sign-in */
  granted: boolean;
  role: "viewer" | "editor" | "admin";
};

export type Message = {
  code: number;
  message: string;
};

export type MetaScope = {
  key: string;
  /** null: a budget for each value */
  values: string[] | null;
};

export type MissView = {
  /** null: it named none that exists */
  account: string | null;
  caller: CallerView;
  cause: "malformed" | "no_path" | "no_gateway" | "no_provider" | "unauthorized" | "no_credential" | "too_large" | "invalid" | "unreachable" | "key_rejected" | "unknown_target";
  /** the reference's code; null: it has none */
  code: number | null;
  /** how often it has happened */
  count: number;
  first_at: string;
  /** as the call named it */
  gateway: string | null;
  /** what to do about it */
  hint: string;
  host: string;
  /** grows with each call */
  id: number;
  last_at: string;
  /** of the last such call's log entry; null: there is none */
  log_id: string | null;
  message: string;
  method: string;
  model: string | null;
  /** without the query; what looks like a secret is redacted */
  path: string;
  /** null: it named none that exists */
  provider: string | null;
  /** a call as it would have been right; null: there is no telling */
  snippet: string | null;
  /** what the caller got */
  status_code: number;
};

export type ModelPriceTier = {
  above_input_tokens: number;
  /** US dollars as exact decimals, by class: for a million tokens (input, output, cache_read, cache_write_5m, cache_write_1h, reasoning, audio_input, image_output, …) or characters; a thousand requests, web_searches, search_units, images or pages; one of hours, minutes or seconds */
  usd: Record<string, string | number>;
};

export type ModelPriceView = {
  /** other names with the same price */
  aliases: string[] | null;
  /** provider/model whose prices hold; null: usd says */
  as: string | null;
  /** the day it was read or set */
  as_of: string;
  /** by which rule the name that was asked for has this price: override, name, alias, dated name, prefix or pattern */
  found_by?: string;
  /** name, or pattern: * is any text, # one digit */
  model: string;
  /** of a stored one; null for others */
  modified_at: string | null;
  note: string;
  /** who says so. catalogue: the price list; file: the configuration, and it is read-only here; stored: this API */
  origin: "catalogue" | "file" | "stored";
  /** slug */
  provider: string;
  /** where the price was read */
  source: string;
  /** what holds for prompts above a threshold */
  tiers: ModelPriceTier[] | null;
  /** what everything is multiplied by */
  times: string;
  /** US dollars as exact decimals, by class: for a million tokens (input, output, cache_read, cache_write_5m, cache_write_1h, reasoning, audio_input, image_output, …) or characters; a thousand requests, web_searches, search_units, images or pages; one of hours, minutes or seconds */
  usd: Record<string, string | number>;
  /** of the price list */
  version?: string;
};

export type Moment = {
  /** number of the attempt that it is part of, from 1 */
  attempt?: number;
  /** US dollars, exact to a billionth; null: not known */
  cost?: number;
  length_ms: number;
  /** receive, cache, attempt, connect, wait, stream, backoff, deliver */
  name: string;
  /** in a word or two: why a cache did not answer, why an attempt did not serve */
  note?: string;
  /** since the request's start */
  start_ms: number;
  status?: number;
  /** of an attempt: provider and model */
  target?: string;
};

export type NearestLog = {
  created_at: string;
  id: string;
};

export type NewRouteVersion = {
  account_tag: string;
  created_at: string;
  deployment?: RouteDeploymentView;
  /** of the deployed version */
  elements: {
    id?: string;
    outputs?: Record<string, unknown>;
    properties?: Record<string, unknown>;
    type?: string;
  }[];
  gateway_id: string;
  id: string;
  /** ours: whether it can be deployed */
  is_valid: boolean;
  /** ours: what is wrong with it, or perhaps not meant */
  issues: Issue[] | null;
  modified_at: string;
  /** calls name it as their model: dynamic/{name} */
  name: string;
  /** ours: another one after every change; the ETag */
  revision: number;
  /** the deployed one */
  version?: RouteVersionView;
  /** ours: what to deploy */
  version_id: string;
};

export type PageInfo = {
  /** items on this page */
  count: number;
  page: number;
  per_page: number;
  total_count: number;
  total_pages: number;
};

export type PersonView = {
  email: string;
  id: string;
  /** admin of every account, and of the process */
  instance: boolean;
  memberships: MembershipView[] | null;
  name: string;
};

export type Prices = {
  /** when the catalogue was last replaced */
  changed?: string;
  /** day that the catalogue was made */
  date: string;
  /** why the last refresh was refused; the catalogue before it is in use */
  error: string;
  /** rows of the catalogue, the operator's own left out */
  models: number;
  /** where it is refreshed from; empty: it is the built-in one */
  source: string;
  /** time of the last refresh */
  tried?: string;
  version: string;
};

export type ProviderConfigBody = {
  /** letters, digits, - _ and .; left out in a new one: default */
  alias?: string;
  default_config?: boolean;
  /** ours: hosts that it may be sent to besides the provider's own, with :port where one is needed */
  hosts?: string[];
  /** provider, by slug or alias; a change cannot change it */
  provider_slug?: string;
  /** most calls with this key in rate_limit_period; 0: any number */
  rate_limit?: number;
  /** seconds */
  rate_limit_period?: number;
  /** the provider's key: one text, or for some clouds the text of a JSON object (docs/keys.md); in a change left out: the one that is stored stays */
  secret?: string;
  /** of the reference's Secrets Store, which is not here: send secret */
  secret_id?: string;
  /** ours: share of the calls among the keys of the alias. A new key for an alias that has one needs it */
  weight?: number;
};

export type ProviderConfigView = {
  /** calls choose by it: cf-aig-byok-alias */
  alias: string;
  /** ours */
  created_at: string;
  /** it serves calls that name no alias, where no key has the alias default */
  default_config: boolean;
  gateway_id: string;
  /** ours: hosts that it may be sent to besides the provider's own; for providers whose calls name the host */
  hosts: string[] | null;
  id: string;
  /** ours: what it is called, and no secret: an access key id, a service account's address, a resource; null for others */
  key_id: string | null;
  /** ours: what the key consists of */
  kind: "text" | "aws" | "google" | "azure";
  /** ours: good to a minute or two; null: not known to have been used */
  last_used_at: string | null;
  modified_at: string;
  provider_slug: string;
  /** most calls with this key in rate_limit_period; 0: any number */
  rate_limit: number;
  /** seconds */
  rate_limit_period: number;
  /** ours: region that a key of several parts is for; null for others */
  region: string | null;
  /** ours: null: it does not rest */
  rests_until: string | null;
  /** the same as id: the key is kept here, not in a store of its own */
  secret_id: string;
  /** the key's last four characters */
  secret_preview: string;
  /** ours. resting: the provider refused it, so others of its alias go first; locked: the master key is missing or wrong; damaged: it must be sent again */
  status: "ready" | "resting" | "locked" | "damaged";
  /** ours: another one after every change */
  version: number;
  /** ours: its share of the calls among the keys of its alias */
  weight: number;
};

export type ProviderHealth = {
  attempts: number;
  /** the client left */
  canceled: number;
  /** milliseconds; null: nothing was timed */
  duration_p50: number | null;
  /** counts, LLM tokens, bytes, US dollars or milliseconds, as the metric says; null: not known */
  duration_p95: number | null;
  /** errors by attempts */
  error_rate: number | null;
  /** attempts that failed, refusals of what was asked among them */
  errors: number;
  provider: string;
  /** degraded: 5 % of the attempts failed, or more; failing: half of them, or more */
  state: "ok" | "degraded" | "failing";
  /** to the first token, in milliseconds */
  ttft_p50: number | null;
  /** counts, LLM tokens, bytes, US dollars or milliseconds, as the metric says; null: not known */
  ttft_p95: number | null;
};

export type ProviderView = {
  /** other segments that mean it */
  aliases: string[] | null;
  /** one that the account has made */
  custom: boolean;
  enabled: boolean;
  /** address that it stands for; {…} is filled from the call */
  instead_of: string;
  /** it takes no key */
  keyless: boolean;
  /** for people */
  name: string;
  slug: string;
  /** stored in this gateway */
  stored_keys: number;
  /** base URL for its SDK: the provider's own paths follow */
  url: string;
};

export type Purged = {
  /** stored answers that were removed */
  purged: number;
};

export type RateLimitUsage = {
  /** seconds */
  interval: number;
  /** requests in a window */
  limit: number;
  remaining: number;
  /** until a new window begins (fixed), or until one more fits (sliding; 0: one does) */
  reset_seconds: number;
  technique: "fixed" | "sliding";
  used: number;
};

export type Refusals = {
  count: number;
  /** 400, 408, 413, 414, 417, 431, 501 or 505 */
  status: number;
};

export type Related = {
  log: Entry;
  /** event, trace, or metadata.NAME with the same value */
  reasons: string[] | null;
};

export type RenameRouteInputBody = {
  name: string;
};

export type Reprice = {
  /** tell what would change, and change nothing */
  dry_run?: boolean;
  /** the reference's filters; an entry has to meet q too */
  filters?: LogCondition[] | null;
  /** the filter language, for example status:error provider:openai */
  q?: string;
  /** 24h, 7d, or two RFC 3339 times with .. between, either of which may be missing; left out: all until now */
  range?: string;
};

export type Rotated = {
  rotated_at: string;
};

export type RouteCheck = {
  is_valid: boolean;
  issues: Issue[] | null;
};

export type RouteDeploymentList = {
  deployments: RouteDeploymentView[] | null;
  order_by: string;
  order_by_direction: string;
  page: number;
  per_page: number;
  /** ours */
  total_count: number;
};

export type RouteDeploymentView = {
  created_at: string;
  deployment_id: string;
  version_id: string;
};

export type RouteEnvelope = {
  errors: Fault[] | null;
  messages: Message[] | null;
  route: RouteView;
  success: boolean;
};

export type RouteList = {
  order_by: string;
  order_by_direction: string;
  page: number;
  per_page: number;
  routes: RouteView[] | null;
  /** ours */
  total_count: number;
};

export type RouteVersionList = {
  order_by: string;
  order_by_direction: string;
  page: number;
  per_page: number;
  /** ours */
  total_count: number;
  versions: RouteVersionView[] | null;
};

export type RouteVersionView = {
  /** whether it is deployed */
  active: "true" | "false";
  created_at: string;
  /** its elements, JSON in a text */
  data: string;
  /** whether it can be deployed */
  is_valid: boolean;
  version_id: string;
};

export type RouteView = {
  account_tag: string;
  created_at: string;
  deployment?: RouteDeploymentView;
  /** of the deployed version */
  elements: {
    id?: string;
    outputs?: Record<string, unknown>;
    properties?: Record<string, unknown>;
    type?: string;
  }[];
  gateway_id: string;
  id: string;
  modified_at: string;
  /** calls name it as their model: dynamic/{name} */
  name: string;
  /** ours: another one after every change; the ETag */
  revision: number;
  /** the deployed one */
  version?: RouteVersionView;
};

export type RuleUsage = {
  action: "block" | "alert";
  /** those of which most was spent first; a rule that does not split has one */
  budgets: BudgetUsage[] | null;
  hard: boolean;
  /** given, or made of what the rule counts */
  id: string;
  /** US dollars, exact to a billionth; null: not known */
  limit: number | null;
  metadata: MetaScope[] | null;
  /** null: any */
  model: string[] | null;
  /** null: any */
  provider: string[] | null;
  technique: "fixed" | "sliding";
  /** how many are in use */
  total_budgets: number;
  unpriced: "allow" | "flag" | "block";
  /** seconds */
  window: number;
};

export type RuleVerdict = {
  allows: boolean;
  applies: boolean;
  /** the one that the call would be of; null: it is of none */
  budget: BudgetUsage;
  id: string;
  /** why it does not apply, or what it says */
  why: string;
};

export type RunToken = {
  expires_at: string;
  id: string;
  /** to be sent as cf-aig-authorization: Bearer … */
  value: string;
};

export type SavedView = {
  created_at: string;
  /** empty: of no one gateway */
  gateway_id: string;
  id: string;
  /** whether that is you */
  mine: boolean;
  modified_at: string;
  name: string;
  /** who made it */
  owner: string;
  /** for example logs */
  page: string;
  /** of the page's address */
  query: string;
  /** false: only who made it sees it */
  shared: boolean;
  /** another one after every change */
  version: number;
};

export type SavedViewBody = {
  gateway_id?: string;
  name: string;
  page: string;
  query?: string;
  shared?: boolean;
};

export type SavingView = {
  /** what the answer would have cost by the price catalogue */
  cost: number | null;
  /** how much sooner it was there; null: not known, or no sooner */
  time_ms: number | null;
};

export type Series = {
  /** value of the group; empty without one */
  key: string;
  metric: string;
  /** with cmp: of as many intervals before */
  prev?: (number | null)[] | null;
  /** with cmp: of the whole period before, as long as this one is so far */
  prev_total?: number;
  /** value of the second group */
  then?: string;
  /** of the whole range */
  total: number | null;
  /** one for each of t; null: not known */
  values: (number | null)[] | null;
};

export type SessionView = {
  /** there is an admin who can sign in */
  claimed: boolean;
  /** what is shown is made up (sluice demo) */
  demo: boolean;
  /** when the session ends at the latest; null: there is none */
  expires_at: string | null;
  /** when the session ends unless it is used; null: there is none */
  idle_at: string | null;
  /** password, link, oidc; or what was sent instead of signing in: admin_token, gateway_token, local, data_dir. Empty: nothing */
  method: string;
  /** name of the identity provider that one can sign in by, at /client/v4/session/oidc; null: there is none */
  oidc: string | null;
  /** the caller is an admin of the process */
  process: boolean;
  /** the caller is known */
  signed_in: boolean;
  since_at: string | null;
  /** the session's token, where it was asked for: Authorization: Bearer … */
  token?: string;
  /** null: nobody has signed in by name */
  user: PersonView;
  /** of the program */
  version: string;
};

export type SetModelPriceInputBody = {
  /** take the prices of another model: provider/model */
  as?: string;
  /** multiply the prices, for example 1.1 or 1/2 */
  times?: string;
  /** all prices that there are: a class that is left out has none */
  usd?: Record<string, string | number>;
};

export type Settings = {
  /** callers need a gateway token; null: nobody said so, and they need none */
  authentication: boolean | null;
  /** no call without a provider key: the caller's own, or a stored one */
  byok_only: boolean | null;
  /** a change of the settings forgets cached answers */
  cache_invalidate_on_update: boolean;
  /** how long answers are cached; 0 or null: off, stored as 0 */
  cache_ttl: number;
  /** write a log entry for each request */
  collect_logs: boolean;
  /** ours: store request and answer bodies with the entry */
  collect_payload: boolean;
  /** stored only */
  dlp: unknown;
  /** stored only */
  guardrails: unknown;
  /** ours: most hedged calls, percent of all; 0: none */
  hedge: number;
  /** stored only */
  log_classification: boolean | null;
  /** most log entries, held within a hundredth; null: none of its own. The log's bound on all gateways together holds, too */
  log_management: number | null;
  /** at log_management: count new requests without an entry, or drop the oldest entries (null, too) */
  log_management_strategy: "STOP_INSERTING" | "DELETE_OLDEST" | null;
  /** stored only */
  logpush: boolean | null;
  /** stored only */
  logpush_public_key: string | null;
  /** ours: most entries of cf-aig-metadata that are kept */
  metadata_entries: number;
  /** stored only: a list of objects with url and headers */
  otel: unknown;
  /** window of the rate limit; 0 or null: off */
  rate_limiting_interval: number | null;
  /** most requests in a window; 0 or null: off */
  rate_limiting_limit: number | null;
  /** fixed: windows cut by the clock, and what null means; sliding: any interval */
  rate_limiting_technique: "fixed" | "sliding" | null;
  /** ours: how long a try waits for the first byte; 0 or null: no bound of its own */
  request_timeout: number | null;
  /** how the wait grows from try to try; null: constant */
  retry_backoff: "constant" | "linear" | "exponential" | null;
  /** wait before the second try */
  retry_delay: number | null;
  /** most tries, the first counted; null: 1 */
  retry_max_attempts: number | null;
  /** what calls may cost in a window: {enabled, rules}, see docs/budgets.md; null: no bound */
  spend_limits: unknown;
  /** stored only */
  store_id: string | null;
  /** stored only */
  stripe: unknown;
  /** stored only */
  workers_ai_billing_mode: "postpaid" | "unified";
  /** stored only */
  zdr: boolean | null;
};

export type SignInInputBody = {
  email: string;
  password: string;
  /** answer with a token, instead of setting a cookie */
  token?: boolean;
};

export type Sparkline = {
  cost: (number | null)[] | null;
  errors: (number | null)[] | null;
  requests: (number | null)[] | null;
  /** start of each interval */
  t: string[] | null;
};

export type StartBackupInputBody = {
  /** take the file with the key that seals the stored provider keys in, too: who has the backup can then read them */
  master_key?: boolean;
};

export type StatusView = {
  /** bytes */
  body_memory_limit: number;
  /** bytes */
  body_memory_used: number;
  config: Config;
  data_dir: string;
  /** of the account */
  gateways: GatewayStatus[] | null;
  /** requests that are running */
  in_flight: number;
  /** of the account; null: the log did not answer in time */
  last_minute: Traffic;
  limits: Limits;
  listeners: Listener[] | null;
  log: LogStatus;
  /** faults of the program that were contained, since the start */
  panics: number;
  /** requests since the start that were refused before they had a gateway and a log entry */
  refused: Refusals[] | null;
  started: string;
  /** hosts that were called of late */
  upstreams: Upstream[] | null;
  uptime_seconds: number;
  version: string;
};

export type StreamEvent = {
  /** since the request's start; null: the log keeps no times of single events */
  at_ms: number | null;
  /** there is more data than shown */
  cut: boolean;
  /** 16 KB at most */
  data: string;
  /** bytes, with what ends it */
  length: number;
  /** event field, or :event-type; null: none */
  name: string | null;
  /** from 0 */
  number: number;
  /** bytes of the decoded body before it */
  offset: number;
};

export type StreamEvents = {
  events: StreamEvent[] | null;
  /** server-sent events, Amazon's binary frames, or a JSON text per line */
  framing: "sse" | "eventstream" | "lines";
  id: string;
  /** from of the next page; null: this is the last */
  next: number | null;
  /** events in what is stored */
  total: number;
  /** the answer is stored to its end; else the last event may be part of one */
  whole: boolean;
};

export type SuccessView = {
  at: string;
  gateway: string;
  log_id: string;
  model: string;
  provider: string;
};

export type Summary = {
  /** answers from the cache by requests; null: there was no request */
  cache_rate: number | null;
  cached: number;
  /** no request will be added before this time; null: not known */
  complete_until: string | null;
  /** counts, LLM tokens, bytes, US dollars or milliseconds, as the metric says; null: not known */
  cost: number | null;
  /** errors by requests; null: there was no request */
  error_rate: number | null;
  errors: number;
  /** requests whose tokens are estimated or partial */
  estimated: number;
  from: string;
  gateway: string;
  /** start of the newest one that the log has; null: it has none */
  last_request: string | null;
  requests: number;
  sparkline: Sparkline;
  to: string;
  /** input and output */
  tokens: number | null;
  tz: string;
  /** requests with usage and no known cost: cost lacks them */
  unpriced: number;
};

export type TestLimitsInputBody = {
  input_tokens?: number;
  /** texts, numbers and truth values */
  metadata?: Record<string, unknown>;
  model?: string;
  /** 0: what is reserved of a model of which nothing is known, 1000 */
  output_tokens?: number;
  /** slug or alias */
  provider: string;
};

export type TimelineView = {
  /** a connection to the upstream was at hand */
  connected_ms: number | null;
  /** the last byte was handed to the client, or the exchange ended otherwise */
  end_ms: number | null;
  /** the answer's head was read */
  first_byte_ms: number | null;
  /** the first event with content passed */
  first_token_ms: number | null;
  /** the request body was read */
  received_ms: number | null;
  /** the request was written to it */
  sent_ms: number | null;
};

export type TokenView = {
  account_id: string;
  created_at: string;
  /** null: never */
  expires_at: string | null;
  /** ids of the gateways that it is good for; null: all of the account, those to come too */
  gateways: string[] | null;
  /** the last four characters of its value */
  hint: string;
  id: string;
  /** its value was chosen, not made here */
  imported: boolean;
  /** good to a minute or two; null: not known to have been used */
  last_used_at: string | null;
  name: string;
  /** run: calls through a gateway; read, edit: this API */
  permissions: string[] | null;
  /** null: it was not */
  revoked_at: string | null;
  status: "valid" | "expired" | "revoked";
};

export type TopupConfig = {
  /** null */
  amount: number | null;
  /** null */
  threshold: number | null;
};

export type Traffic = {
  errors: number;
  requests: number;
  requests_per_second: number;
  window_seconds: number;
};

export type UpdateMemberInputBody = {
  /** a viewer who sees stored bodies */
  bodies?: boolean;
  /** admin of every account and of the process; only such an admin makes others */
  instance?: boolean;
  name?: string;
  /** in this account */
  role?: "viewer" | "editor" | "admin";
};

export type Upstream = {
  dialing: number;
  host: string;
  /** connections among them that wait for a request */
  idle: number;
  /** connections */
  open: number;
  scheme: string;
  /** own, std or proxy */
  via: string;
  /** requests that wait for a connection */
  waiting: number;
};

export type UseFoundKeyInputBody = {
  /** of a key that the list has */
  provider_slug: string;
};

export type UseLinkInputBody = {
  /** of the new admin; left out where the link is for somebody */
  email?: string;
  /** what stands behind # in the link */
  link: string;
  /** left out: it stays */
  name?: string;
  /** 10 characters at least */
  password: string;
  /** answer with a token, instead of setting a cookie */
  token?: boolean;
};

export type UserView = {
  country: string | null;
  /** empty: the caller did not sign in by name */
  email: string;
  first_name: string | null;
  id: string;
  last_name: string | null;
  suspended: boolean;
  telephone: string | null;
  two_factor_authentication_enabled: boolean;
  two_factor_authentication_locked: boolean;
  /** the name that the caller is shown by */
  username: string;
  zipcode: string | null;
};

export type ValidateRouteInputBody = {
  /** start, conditional, percentage, rate, model and end elements; docs/routes.md describes them */
  elements: {
    id?: string;
    outputs?: Record<string, unknown>;
    properties?: Record<string, unknown>;
    type?: string;
  }[];
};

export type VerifiedToken = {
  /** null: never */
  expires_on: string | null;
  id: string;
  not_before: string | null;
  status: "active";
};

/** What each call takes and answers, by method and path. */
export interface Calls {
  /** Which Sluice this is (ours) */
  "GET /client/v4/about": {
    query: {
    };
    body: undefined;
    answer: EnvelopeAbout;
  };
  /** List the accounts that the caller sees */
  "GET /client/v4/accounts": {
    query: {
      /** page number, from 1 */
      page?: number;
      /** items per page */
      per_page?: number;
      /** id of the account */
      name?: string;
      direction?: "asc" | "desc";
    };
    body: undefined;
    answer: ListEnvelopeAccountViewPageInfo;
  };
  /** Get an account */
  "GET /client/v4/accounts/{account}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeAccountView;
  };
  /** Sums over time, from roll-ups */
  "GET /client/v4/accounts/{account}/ai-gateway/analytics": {
    query: {
      /** gateway id; all of the account's when empty */
      gateway?: string;
      /** names with commas between */
      metric?: string;
      /** what to split by: provider, model, key, status, outcome, cache, error_type, gateway, meta.KEY; two with a comma between split one by the other */
      group?: string;
      /** 24h, 7d, or two RFC 3339 times with .. between */
      range?: string;
      /** IANA time zone that days, weeks and months are of, and in which hours are counted */
      tz?: string;
      /** auto, none (one value for the range), or a length such as 1m, 15m, 1h, 1d, 1w, 1mo */
      interval?: string;
      /** 1: the period before, too */
      cmp?: boolean;
      /** attempts: each try counts by itself, under its own provider, model, status and error, with its own tokens and cost */
      basis?: "requests" | "attempts";
      /** the filter language. Conditions on what can be split by are answered from roll-ups, others from rows, as far as two seconds go */
      q?: string;
      /** most groups, the greatest by the first metric */
      limit?: number;
    };
    body: undefined;
    answer: EnvelopeAnalytics;
  };
  /** List what was changed, by whom, and what it was before (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/audit": {
    query: {
      /** items per page */
      per_page?: number;
      /** next of the page before */
      cursor?: string;
      direction?: "asc" | "desc";
      /** id of a gateway */
      gateway?: string;
      /** id, e-mail address or name of who did it */
      actor?: string;
      /** IP address that it came from */
      address?: string;
      /** create, update, delete, open, sign_in, … */
      action?: string;
      /** of the object: gateway, token, member, … */
      kind?: string;
      /** id or name of the object */
      object?: string;
      /** false: what was refused */
      result?: "true" | "false";
      /** 24h, 7d, or two RFC 3339 times with .. between, either of which may be missing */
      range?: string;
    };
    body: undefined;
    answer: ListEnvelopeAuditViewAuditInfo;
  };
  /** Start a job that backs up the whole data directory (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/backup": {
    query: {
    };
    body: StartBackupInputBody;
    answer: EnvelopeJobView;
  };
  /** Get the balance of credits, which is zero */
  "GET /client/v4/accounts/{account}/ai-gateway/billing/credit-balance": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCreditBalance;
  };
  /** Answers that there is no billing here */
  "GET /client/v4/accounts/{account}/ai-gateway/billing/invoice-history": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCreditBalance;
  };
  /** Answers that there is no billing here */
  "GET /client/v4/accounts/{account}/ai-gateway/billing/invoice-preview": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCreditBalance;
  };
  /** Answers that there is no billing here */
  "DELETE /client/v4/accounts/{account}/ai-gateway/billing/spending-limit": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCreditBalance;
  };
  /** Answers that there is no billing here */
  "GET /client/v4/accounts/{account}/ai-gateway/billing/spending-limit": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCreditBalance;
  };
  /** Answers that there is no billing here */
  "POST /client/v4/accounts/{account}/ai-gateway/billing/spending-limit": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCreditBalance;
  };
  /** Answers that there is no billing here */
  "POST /client/v4/accounts/{account}/ai-gateway/billing/topup": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCreditBalance;
  };
  /** Answers that there is no billing here */
  "DELETE /client/v4/accounts/{account}/ai-gateway/billing/topup/config": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCreditBalance;
  };
  /** Answers that there is no billing here */
  "GET /client/v4/accounts/{account}/ai-gateway/billing/topup/config": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCreditBalance;
  };
  /** Answers that there is no billing here */
  "POST /client/v4/accounts/{account}/ai-gateway/billing/topup/config": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCreditBalance;
  };
  /** Answers that there is no billing here */
  "POST /client/v4/accounts/{account}/ai-gateway/billing/topup/status": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCreditBalance;
  };
  /** Answers that there is no billing here */
  "GET /client/v4/accounts/{account}/ai-gateway/billing/usage-history": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCreditBalance;
  };
  /** What the response cache holds of an account, and did (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/cache": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCacheStats;
  };
  /** List the account's custom providers */
  "GET /client/v4/accounts/{account}/ai-gateway/custom-providers": {
    query: {
      /** page number, from 1 */
      page?: number;
      /** items per page */
      per_page?: number;
      /** only those that are enabled, or are not */
      enable?: "true" | "false" | "1" | "0";
      /** only those that are beta, or are not */
      beta?: "true" | "false" | "1" | "0";
      /** part of the id, name or slug */
      search?: string;
      /** name, slug, position, created_at or modified_at, with ASC or DESC behind: name DESC. Left out: by position, then name */
      order_by?: string;
    };
    body: undefined;
    answer: ListEnvelopeCustomProviderViewPageInfo;
  };
  /** Create a custom provider: calls name it custom-{slug} */
  "POST /client/v4/accounts/{account}/ai-gateway/custom-providers": {
    query: {
    };
    body: CustomProviderBody;
    answer: EnvelopeCustomProviderView;
  };
  /** Delete a custom provider and its prices */
  "DELETE /client/v4/accounts/{account}/ai-gateway/custom-providers/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCustomProviderView;
  };
  /** Get a custom provider */
  "GET /client/v4/accounts/{account}/ai-gateway/custom-providers/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCustomProviderView;
  };
  /** Change a custom provider: what is left out stays */
  "PATCH /client/v4/accounts/{account}/ai-gateway/custom-providers/{id}": {
    query: {
    };
    body: CustomProviderBody;
    answer: EnvelopeCustomProviderView;
  };
  /** Start a job that looks whether databases, index and segments are sound (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/db/check": {
    query: {
    };
    body: undefined;
    answer: EnvelopeJobView;
  };
  /** Start a job that gives back the room that lies unused in databases (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/db/compact": {
    query: {
    };
    body: undefined;
    answer: EnvelopeJobView;
  };
  /** List what evaluations can find out */
  "GET /client/v4/accounts/{account}/ai-gateway/evaluation-types": {
    query: {
      /** page number, from 1; a page past the end is empty */
      page?: number;
      /** items per page */
      per_page?: number;
      /** id, name or type; left out: as they are listed in the documentation */
      order_by?: string;
      order_by_direction?: "asc" | "desc";
    };
    body: undefined;
    answer: ListEnvelopeEvaluationTypePageInfo;
  };
  /** Follow log entries, jobs and first-run hints as they come, as server-sent events */
  "GET /client/v4/accounts/{account}/ai-gateway/events": {
    query: {
      /** a subscription to log entries: a name of your choice, a colon, and a filter; none: one with the name all and no filter */
      sub?: string[] | null;
      /** what to tell of; without it: of everything */
      kinds?: ("logs" | "jobs" | "hello")[] | null;
      /** names of fields with commas between */
      fields?: string;
      /** what a log in an event stands for */
      basis?: "attempts" | "requests";
      /** the same, for clients that cannot set the header */
      last_event_id?: string;
    };
    body: undefined;
    answer: unknown;
  };
  /** List gateways */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways": {
    query: {
      /** page number, from 1 */
      page?: number;
      /** items per page */
      per_page?: number;
      /** part of the id */
      search?: string;
    };
    body: undefined;
    answer: ListEnvelopeGatewayViewPageInfo;
  };
  /** Create a gateway */
  "POST /client/v4/accounts/{account}/ai-gateway/gateways": {
    query: {
    };
    body: {
      /** callers need a gateway token; null: nobody said so, and they need none */
      authentication?: boolean | null;
      /** no call without a provider key: the caller's own, or a stored one */
      byok_only?: boolean | null;
      /** a change of the settings forgets cached answers */
      cache_invalidate_on_update: boolean;
      /** how long answers are cached; 0 or null: off, stored as 0 */
      cache_ttl: number | null;
      /** write a log entry for each request */
      collect_logs: boolean;
      /** ours: store request and answer bodies with the entry */
      collect_payload?: boolean;
      /** stored only */
      dlp?: unknown;
      /** stored only */
      guardrails?: unknown;
      /** ours: most hedged calls, percent of all; 0: none */
      hedge?: number | null;
      id: string;
      /** stored only */
      log_classification?: boolean | null;
      /** most log entries, held within a hundredth; null: none of its own. The log's bound on all gateways together holds, too */
      log_management?: number | null;
      /** at log_management: count new requests without an entry, or drop the oldest entries (null, too) */
      log_management_strategy?: "STOP_INSERTING" | "DELETE_OLDEST" | null;
      /** stored only */
      logpush?: boolean | null;
      /** stored only */
      logpush_public_key?: string | null;
      /** ours: most entries of cf-aig-metadata that are kept */
      metadata_entries?: number | null;
      /** stored only: a list of objects with url and headers */
      otel?: unknown;
      /** window of the rate limit; 0 or null: off */
      rate_limiting_interval: number | null;
      /** most requests in a window; 0 or null: off */
      rate_limiting_limit: number | null;
      /** fixed: windows cut by the clock, and what null means; sliding: any interval */
      rate_limiting_technique?: "fixed" | "sliding" | null;
      /** ours: how long a try waits for the first byte; 0 or null: no bound of its own */
      request_timeout?: number | null;
      /** how the wait grows from try to try; null: constant */
      retry_backoff?: "constant" | "linear" | "exponential" | null;
      /** wait before the second try */
      retry_delay?: number | null;
      /** most tries, the first counted; null: 1 */
      retry_max_attempts?: number | null;
      /** what calls may cost in a window: {enabled, rules}, see docs/budgets.md; null: no bound */
      spend_limits?: unknown;
      /** stored only */
      store_id?: string | null;
      /** stored only */
      stripe?: unknown;
      /** stored only */
      workers_ai_billing_mode?: "postpaid" | "unified";
      /** stored only */
      zdr?: boolean | null;
    };
    answer: EnvelopeGatewayView;
  };
  /** Delete a gateway */
  "DELETE /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeGatewayView;
  };
  /** Get a gateway */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeGatewayView;
  };
  /** Update a gateway: what is left out stays, null sets back */
  "PUT /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}": {
    query: {
    };
    body: {
      /** callers need a gateway token; null: nobody said so, and they need none */
      authentication?: boolean | null;
      /** no call without a provider key: the caller's own, or a stored one */
      byok_only?: boolean | null;
      /** a change of the settings forgets cached answers */
      cache_invalidate_on_update: boolean;
      /** how long answers are cached; 0 or null: off, stored as 0 */
      cache_ttl: number | null;
      /** write a log entry for each request */
      collect_logs: boolean;
      /** ours: store request and answer bodies with the entry */
      collect_payload?: boolean;
      /** stored only */
      dlp?: unknown;
      /** stored only */
      guardrails?: unknown;
      /** ours: most hedged calls, percent of all; 0: none */
      hedge?: number | null;
      /** stored only */
      log_classification?: boolean | null;
      /** most log entries, held within a hundredth; null: none of its own. The log's bound on all gateways together holds, too */
      log_management?: number | null;
      /** at log_management: count new requests without an entry, or drop the oldest entries (null, too) */
      log_management_strategy?: "STOP_INSERTING" | "DELETE_OLDEST" | null;
      /** stored only */
      logpush?: boolean | null;
      /** stored only */
      logpush_public_key?: string | null;
      /** ours: most entries of cf-aig-metadata that are kept */
      metadata_entries?: number | null;
      /** stored only: a list of objects with url and headers */
      otel?: unknown;
      /** window of the rate limit; 0 or null: off */
      rate_limiting_interval: number | null;
      /** most requests in a window; 0 or null: off */
      rate_limiting_limit: number | null;
      /** fixed: windows cut by the clock, and what null means; sliding: any interval */
      rate_limiting_technique?: "fixed" | "sliding" | null;
      /** ours: how long a try waits for the first byte; 0 or null: no bound of its own */
      request_timeout?: number | null;
      /** how the wait grows from try to try; null: constant */
      retry_backoff?: "constant" | "linear" | "exponential" | null;
      /** wait before the second try */
      retry_delay?: number | null;
      /** most tries, the first counted; null: 1 */
      retry_max_attempts?: number | null;
      /** what calls may cost in a window: {enabled, rules}, see docs/budgets.md; null: no bound */
      spend_limits?: unknown;
      /** stored only */
      store_id?: string | null;
      /** stored only */
      stripe?: unknown;
      /** stored only */
      workers_ai_billing_mode?: "postpaid" | "unified";
      /** stored only */
      zdr?: boolean | null;
    };
    answer: EnvelopeGatewayView;
  };
  /** Forget stored answers of a gateway (ours) */
  "DELETE /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/cache": {
    query: {
      /** only what this provider answered, by slug or alias */
      provider?: string;
      /** only this key: the value of cf-aig-cache-key, or a key in hexadecimal as the log has it */
      key?: string;
    };
    body: undefined;
    answer: EnvelopePurged;
  };
  /** What the response cache holds of a gateway, and did (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/cache": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCacheStats;
  };
  /** List custom domains */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/custom-domains": {
    query: {
      /** page number, from 1; a page past the end is empty */
      page?: number;
      /** items per page */
      per_page?: number;
    };
    body: undefined;
    answer: ListEnvelopeCustomDomainPageInfo;
  };
  /** Make a host name mean the gateway */
  "POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/custom-domains": {
    query: {
    };
    body: CreateDomainInputBody;
    answer: EnvelopeCustomDomain;
  };
  /** Delete a custom domain */
  "DELETE /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/custom-domains/{hostname}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCustomDomain;
  };
  /** Get a custom domain */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/custom-domains/{hostname}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCustomDomain;
  };
  /** List datasets */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/datasets": {
    query: {
      /** page number, from 1; a page past the end is empty */
      page?: number;
      /** items per page */
      per_page?: number;
      /** only those that are so */
      enable?: "true" | "false";
      /** only those of this name */
      name?: string;
      /** part of the name */
      search?: string;
    };
    body: undefined;
    answer: ListEnvelopeDatasetViewPageInfo;
  };
  /** Create a dataset, a saved filter over the log */
  "POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/datasets": {
    query: {
    };
    body: DatasetBody;
    answer: EnvelopeDatasetView;
  };
  /** Delete a dataset */
  "DELETE /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/datasets/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeDatasetView;
  };
  /** Get a dataset */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/datasets/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeDatasetView;
  };
  /** Update a dataset */
  "PUT /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/datasets/{id}": {
    query: {
    };
    body: DatasetBody;
    answer: EnvelopeDatasetView;
  };
  /** List the addresses at which a gateway is called (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/endpoints": {
    query: {
    };
    body: undefined;
    answer: EnvelopeEndpoints;
  };
  /** List evaluations */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/evaluations": {
    query: {
      /** page number, from 1; a page past the end is empty */
      page?: number;
      /** items per page */
      per_page?: number;
      /** only those of this name */
      name?: string;
      /** only those that are so */
      processed?: "true" | "false";
      /** part of the name */
      search?: string;
    };
    body: undefined;
    answer: ListEnvelopeEvaluationViewPageInfo;
  };
  /** Evaluate datasets as they are now */
  "POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/evaluations": {
    query: {
    };
    body: CreateEvaluationInputBody;
    answer: EnvelopeEvaluationView;
  };
  /** Delete an evaluation */
  "DELETE /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/evaluations/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeEvaluationView;
  };
  /** Get an evaluation */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/evaluations/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeEvaluationView;
  };
  /** List provider keys in the environment of the process, without the keys (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/found-keys": {
    query: {
    };
    body: undefined;
    answer: EnvelopeListFoundKeyView;
  };
  /** Store a provider key that is in the environment of the process (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/found-keys": {
    query: {
    };
    body: UseFoundKeyInputBody;
    answer: EnvelopeProviderConfigView;
  };
  /** How the providers do in a gateway's traffic (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/health": {
    query: {
      /** 15m, 24h, or two RFC 3339 times with .. between */
      range?: string;
    };
    body: undefined;
    answer: EnvelopeHealth;
  };
  /** Ask whether a made-up call would be let through, and why; counts nothing (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/limits/test": {
    query: {
    };
    body: TestLimitsInputBody;
    answer: EnvelopeLimitsVerdict;
  };
  /** How a gateway's limits and budgets stand (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/limits/usage": {
    query: {
      /** only the rule of this id */
      rule?: string;
      /** most budgets of a rule */
      top?: number;
    };
    body: undefined;
    answer: EnvelopeLimitsUsage;
  };
  /** Delete log entries by filter */
  "DELETE /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs": {
    query: {
      provider?: string;
      model?: string;
      model_type?: string;
      request_content_type?: string;
      response_content_type?: string;
      success?: "true" | "false";
      cached?: "true" | "false";
      /** 0 or -1: thumbs down, 1: thumbs up */
      feedback?: "0" | "1" | "-1";
      /** RFC 3339 */
      start_date?: string;
      /** RFC 3339 */
      end_date?: string;
      min_cost?: string;
      max_cost?: string;
      /** milliseconds */
      min_duration?: string;
      /** milliseconds */
      max_duration?: string;
      min_tokens_in?: string;
      max_tokens_in?: string;
      min_tokens_out?: string;
      max_tokens_out?: string;
      min_total_tokens?: string;
      max_total_tokens?: string;
      /** text in metadata */
      search?: string;
      /** JSON array of {key, operator, value}; the dotted form filters.key, filters.operator, filters.value serves too */
      filters?: string;
      /** ours: the filter language, for example status:error provider:openai duration:>2s */
      q?: string;
      /** ours: 24h, 7d, or two RFC 3339 times with .. between, either of which may be missing */
      range?: string;
      /** created_at pages without end; the others order the first 1,000 of the range */
      order_by?: "created_at" | "provider" | "model" | "model_type" | "success" | "cached" | "cost" | "tokens_in" | "tokens_out" | "duration" | "feedback";
      /** desc when left out */
      order_by_direction?: "asc" | "desc";
      direction?: "asc" | "desc";
      /** most requests to delete, the first in the order */
      limit?: number;
    };
    body: undefined;
    answer: DeletedLogsBody;
  };
  /** List log entries */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs": {
    query: {
      provider?: string;
      model?: string;
      model_type?: string;
      request_content_type?: string;
      response_content_type?: string;
      success?: "true" | "false";
      cached?: "true" | "false";
      /** 0 or -1: thumbs down, 1: thumbs up */
      feedback?: "0" | "1" | "-1";
      /** RFC 3339 */
      start_date?: string;
      /** RFC 3339 */
      end_date?: string;
      min_cost?: string;
      max_cost?: string;
      /** milliseconds */
      min_duration?: string;
      /** milliseconds */
      max_duration?: string;
      min_tokens_in?: string;
      max_tokens_in?: string;
      min_tokens_out?: string;
      max_tokens_out?: string;
      min_total_tokens?: string;
      max_total_tokens?: string;
      /** text in metadata */
      search?: string;
      /** JSON array of {key, operator, value}; the dotted form filters.key, filters.operator, filters.value serves too */
      filters?: string;
      /** ours: the filter language, for example status:error provider:openai duration:>2s */
      q?: string;
      /** ours: 24h, 7d, or two RFC 3339 times with .. between, either of which may be missing */
      range?: string;
      /** page number, from 1; a page past the end is empty */
      page?: number;
      /** requests per page */
      per_page?: number;
      /** created_at pages without end; the others order the first 1,000 of the range */
      order_by?: "created_at" | "provider" | "model" | "model_type" | "success" | "cached" | "cost" | "tokens_in" | "tokens_out" | "duration" | "feedback";
      /** desc when left out */
      order_by_direction?: "asc" | "desc";
      direction?: "asc" | "desc";
      /** adds the least and the greatest values to result_info */
      meta_info?: boolean;
      /** ours: next or prev of another page, in place of page */
      cursor?: string;
      /** ours: names of fields with commas between; all texts are whole then. preview is only there when it is named */
      fields?: string;
      /** ours: one item per attempt, as in the reference, or one per request with its attempts inside */
      basis?: "attempts" | "requests";
    };
    body: undefined;
    answer: ListEnvelopeRowLogsInfo;
  };
  /** Start a job that deletes log entries, and counts them first (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/delete": {
    query: {
    };
    body: LogDeletion;
    answer: EnvelopeJobView;
  };
  /** Start a job that writes log entries of a gateway to a file (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/export": {
    query: {
    };
    body: LogExport;
    answer: EnvelopeJobView;
  };
  /** Count requests by the values of a field (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/facets": {
    query: {
      provider?: string;
      model?: string;
      model_type?: string;
      request_content_type?: string;
      response_content_type?: string;
      success?: "true" | "false";
      cached?: "true" | "false";
      /** 0 or -1: thumbs down, 1: thumbs up */
      feedback?: "0" | "1" | "-1";
      /** RFC 3339 */
      start_date?: string;
      /** RFC 3339 */
      end_date?: string;
      min_cost?: string;
      max_cost?: string;
      /** milliseconds */
      min_duration?: string;
      /** milliseconds */
      max_duration?: string;
      min_tokens_in?: string;
      max_tokens_in?: string;
      min_tokens_out?: string;
      max_tokens_out?: string;
      min_total_tokens?: string;
      max_total_tokens?: string;
      /** text in metadata */
      search?: string;
      /** JSON array of {key, operator, value}; the dotted form filters.key, filters.operator, filters.value serves too */
      filters?: string;
      /** ours: the filter language, for example status:error provider:openai duration:>2s */
      q?: string;
      /** ours: 24h, 7d, or two RFC 3339 times with .. between, either of which may be missing */
      range?: string;
      /** a field of the filter language: provider, model, served, endpoint, type, status, outcome, error_type, ending, cache, stream, key, ua, basis, attempts, feedback, request_content_type, response_content_type, or meta.NAME */
      field: string;
      /** most values, those with the most requests */
      limit?: number;
    };
    body: undefined;
    answer: EnvelopeFacets;
  };
  /** Count requests over time by how they went (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/histogram": {
    query: {
      provider?: string;
      model?: string;
      model_type?: string;
      request_content_type?: string;
      response_content_type?: string;
      success?: "true" | "false";
      cached?: "true" | "false";
      /** 0 or -1: thumbs down, 1: thumbs up */
      feedback?: "0" | "1" | "-1";
      /** RFC 3339 */
      start_date?: string;
      /** RFC 3339 */
      end_date?: string;
      min_cost?: string;
      max_cost?: string;
      /** milliseconds */
      min_duration?: string;
      /** milliseconds */
      max_duration?: string;
      min_tokens_in?: string;
      max_tokens_in?: string;
      min_tokens_out?: string;
      max_tokens_out?: string;
      min_total_tokens?: string;
      max_total_tokens?: string;
      /** text in metadata */
      search?: string;
      /** JSON array of {key, operator, value}; the dotted form filters.key, filters.operator, filters.value serves too */
      filters?: string;
      /** ours: the filter language, for example status:error provider:openai duration:>2s */
      q?: string;
      /** ours: 24h, 7d, or two RFC 3339 times with .. between, either of which may be missing */
      range?: string;
      /** most bars; they are as long as a usual interval of whole minutes that leaves no more */
      buckets?: number;
    };
    body: undefined;
    answer: EnvelopeHistogram;
  };
  /** Start a job that makes the costs of log entries of a gateway anew, from the prices of now (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/reprice": {
    query: {
    };
    body: Reprice;
    answer: EnvelopeJobView;
  };
  /** Delete a log entry (ours) */
  "DELETE /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeDeletedLog;
  };
  /** Get a log entry */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}": {
    query: {
      /** ours: what an id without an attempt's number shows: the attempt that answered, as in the reference, or the request */
      basis?: "attempts" | "requests";
    };
    body: undefined;
    answer: EnvelopeRow;
  };
  /** Say what people think of a request: feedback, score, metadata */
  "PATCH /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}": {
    query: {
    };
    body: {
      /** 1, -1, or null */
      feedback?: 1 | -1 | null;
      /** takes the place of the whole object; a flat one, by the rules of the header cf-aig-metadata */
      metadata?: unknown;
      /** a number, or null */
      score?: unknown;
    };
    answer: EnvelopeRow;
  };
  /** Tell why the cache answered a request or did not, beside the nearest request before (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}/cache-explain": {
    query: {
      /** ours: what an id without an attempt's number shows: the attempt that answered, as in the reference, or the request */
      basis?: "attempts" | "requests";
    };
    body: undefined;
    answer: EnvelopeCacheExplanation;
  };
  /** List requests that belong together with one (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}/related": {
    query: {
      /** most requests for each reason, the newest */
      limit?: number;
    };
    body: undefined;
    answer: EnvelopeListRelated;
  };
  /** Get the stored request body */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}/request": {
    query: {
      /** ours: the bytes as stored, with their Content-Encoding, or decoded */
      encoding?: "stored" | "identity";
    };
    body: undefined;
    answer: unknown;
  };
  /** Get the stored response body */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}/response": {
    query: {
      /** ours: the bytes as stored, with their Content-Encoding, or decoded */
      encoding?: "stored" | "identity";
    };
    body: undefined;
    answer: unknown;
  };
  /** List the events of a stored answer that was streamed (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}/stream-events": {
    query: {
      /** number of the first event, from 0 */
      from?: number;
      /** most events */
      limit?: number;
    };
    body: undefined;
    answer: EnvelopeStreamEvents;
  };
  /** Tell what happened in a request, and when (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/logs/{id}/timeline": {
    query: {
      /** ours: what an id without an attempt's number shows: the attempt that answered, as in the reference, or the request */
      basis?: "attempts" | "requests";
    };
    body: undefined;
    answer: EnvelopeLogTimeline;
  };
  /** List stored provider keys, without the keys */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/provider_configs": {
    query: {
      /** page number, from 1 */
      page?: number;
      /** items per page */
      per_page?: number;
    };
    body: undefined;
    answer: ListEnvelopeProviderConfigViewPageInfo;
  };
  /** Store a provider key */
  "POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/provider_configs": {
    query: {
    };
    body: ProviderConfigBody;
    answer: EnvelopeProviderConfigView;
  };
  /** Delete a stored provider key (ours) */
  "DELETE /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/provider_configs/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeProviderConfigView;
  };
  /** Get a stored provider key, without the key (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/provider_configs/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeProviderConfigView;
  };
  /** Change a stored provider key: what is left out stays (ours) */
  "PUT /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/provider_configs/{id}": {
    query: {
    };
    body: ProviderConfigBody;
    answer: EnvelopeProviderConfigView;
  };
  /** Make one call with a stored provider key that costs nothing (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/provider_configs/{id}/test": {
    query: {
    };
    body: undefined;
    answer: EnvelopeKeyTest;
  };
  /** List dynamic routes */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/routes": {
    query: {
      /** page number, from 1; a page past the end is empty */
      page?: number;
      /** items per page */
      per_page?: number;
      /** ours: part of the name */
      search?: string;
      /** ours: only the one of this name */
      name?: string;
    };
    body: undefined;
    answer: DataEnvelopeRouteList;
  };
  /** Create a dynamic route, and deploy its first version */
  "POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/routes": {
    query: {
    };
    body: CreateRouteInputBody;
    answer: EnvelopeRouteView;
  };
  /** Check elements without storing them (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/routes/validate": {
    query: {
    };
    body: ValidateRouteInputBody;
    answer: EnvelopeRouteCheck;
  };
  /** Delete a dynamic route */
  "DELETE /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/routes/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeRouteView;
  };
  /** Get a dynamic route */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/routes/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeRouteView;
  };
  /** Rename a dynamic route */
  "PATCH /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/routes/{id}": {
    query: {
    };
    body: RenameRouteInputBody;
    answer: RouteEnvelope;
  };
  /** List the deployments of a dynamic route, newest first */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/routes/{id}/deployments": {
    query: {
      /** page number, from 1; a page past the end is empty */
      page?: number;
      /** items per page */
      per_page?: number;
    };
    body: undefined;
    answer: DataEnvelopeRouteDeploymentList;
  };
  /** Deploy a version of a dynamic route, an earlier one to roll back */
  "POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/routes/{id}/deployments": {
    query: {
    };
    body: CreateRouteDeploymentInputBody;
    answer: EnvelopeRouteView;
  };
  /** List the versions of a dynamic route, newest first */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/routes/{id}/versions": {
    query: {
      /** page number, from 1; a page past the end is empty */
      page?: number;
      /** items per page */
      per_page?: number;
    };
    body: undefined;
    answer: DataEnvelopeRouteVersionList;
  };
  /** Create a version of a dynamic route, which serves when it is deployed */
  "POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/routes/{id}/versions": {
    query: {
      /** ours: store it although it has errors; it cannot be deployed then */
      draft?: boolean;
    };
    body: CreateRouteVersionInputBody;
    answer: EnvelopeNewRouteVersion;
  };
  /** Get a version of a dynamic route */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/routes/{id}/versions/{version_id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeFullRouteVersion;
  };
  /** Get a token for calls through a gateway, good for 15 minutes (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/run-token": {
    query: {
    };
    body: undefined;
    answer: EnvelopeRunToken;
  };
  /** A gateway in a few numbers */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/summary": {
    query: {
      /** 24h, 7d, or two RFC 3339 times with .. between */
      range?: string;
      /** IANA time zone of the sparkline's intervals */
      tz?: string;
    };
    body: undefined;
    answer: EnvelopeSummary;
  };
  /** Get the address to call a provider at */
  "GET /client/v4/accounts/{account}/ai-gateway/gateways/{gateway}/url/{provider}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeString;
  };
  /** Get the last calls that came to nothing, with what would have been right, and first successes (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/hello": {
    query: {
    };
    body: undefined;
    answer: EnvelopeHelloView;
  };
  /** List jobs, the newest first (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/jobs": {
    query: {
      /** only those of this kind */
      kind?: string;
      /** only those in this state */
      state?: "queued" | "running" | "done" | "failed" | "canceled";
      /** jobs per page */
      per_page?: number;
      /** next of another page */
      cursor?: string;
    };
    body: undefined;
    answer: ListEnvelopeJobViewJobsInfo;
  };
  /** Remove a job that has ended, and its file (ours) */
  "DELETE /client/v4/accounts/{account}/ai-gateway/jobs/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeJobView;
  };
  /** Get a job (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/jobs/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeJobView;
  };
  /** Cancel a job that has not ended (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/jobs/{id}/cancel": {
    query: {
    };
    body: undefined;
    answer: EnvelopeJobView;
  };
  /** Download the file that a job has left (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/jobs/{id}/result": {
    query: {
    };
    body: undefined;
    answer: unknown;
  };
  /** Go on with a job that has failed or was canceled (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/jobs/{id}/resume": {
    query: {
    };
    body: undefined;
    answer: EnvelopeJobView;
  };
  /** Start a job that writes log entries of an account to a file (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/logs/export": {
    query: {
    };
    body: LogExport;
    answer: EnvelopeJobView;
  };
  /** Start a job that makes the costs of log entries of an account anew, from the prices of now (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/logs/reprice": {
    query: {
    };
    body: Reprice;
    answer: EnvelopeJobView;
  };
  /** Make a new master key for stored provider keys (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/master-key/rotate": {
    query: {
    };
    body: undefined;
    answer: EnvelopeRotated;
  };
  /** List who may do something in an account (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/members": {
    query: {
      /** page number, from 1 */
      page?: number;
      /** items per page */
      per_page?: number;
    };
    body: undefined;
    answer: ListEnvelopeMemberViewPageInfo;
  };
  /** Make somebody a member; who is new gets a one-time link (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/members": {
    query: {
    };
    body: CreateMemberInputBody;
    answer: EnvelopeCreatedMember;
  };
  /** Take a member out of an account; all sessions end (ours) */
  "DELETE /client/v4/accounts/{account}/ai-gateway/members/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeMemberView;
  };
  /** Get a member (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/members/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeMemberView;
  };
  /** Change a member: what is left out stays. Another role ends all of the member's sessions (ours) */
  "PATCH /client/v4/accounts/{account}/ai-gateway/members/{id}": {
    query: {
    };
    body: UpdateMemberInputBody;
    answer: EnvelopeMemberView;
  };
  /** Make a one-time link by which a member sets a password (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/members/{id}/link": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCreatedLink;
  };
  /** Which price catalogue is in use */
  "GET /client/v4/accounts/{account}/ai-gateway/prices": {
    query: {
    };
    body: undefined;
    answer: EnvelopePrices;
  };
  /** List what models cost in this account */
  "GET /client/v4/accounts/{account}/ai-gateway/prices/models": {
    query: {
      /** page number, from 1 */
      page?: number;
      /** items per page */
      per_page?: number;
      /** slug */
      provider?: string;
      /** part of the model's name */
      search?: string;
      /** only prices of this origin */
      origin?: "catalogue" | "file" | "stored";
    };
    body: undefined;
    answer: ListEnvelopeModelPriceViewPageInfo;
  };
  /** Read the price catalogue anew from its source */
  "POST /client/v4/accounts/{account}/ai-gateway/prices/refresh": {
    query: {
    };
    body: undefined;
    answer: EnvelopePrices;
  };
  /** Delete the account's own price of a model */
  "DELETE /client/v4/accounts/{account}/ai-gateway/prices/{provider}/{model}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeModelPriceView;
  };
  /** Get what a model costs in this account */
  "GET /client/v4/accounts/{account}/ai-gateway/prices/{provider}/{model}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeModelPriceView;
  };
  /** Set what a model costs in this account */
  "PUT /client/v4/accounts/{account}/ai-gateway/prices/{provider}/{model}": {
    query: {
    };
    body: SetModelPriceInputBody;
    answer: EnvelopeModelPriceView;
  };
  /** What the process is doing */
  "GET /client/v4/accounts/{account}/ai-gateway/status": {
    query: {
    };
    body: undefined;
    answer: EnvelopeStatusView;
  };
  /** List gateway tokens (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/tokens": {
    query: {
      /** page number, from 1 */
      page?: number;
      /** items per page */
      per_page?: number;
      /** list the revoked ones too */
      revoked?: boolean;
    };
    body: undefined;
    answer: ListEnvelopeTokenViewPageInfo;
  };
  /** Create a gateway token; the answer shows its value, this once (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/tokens": {
    query: {
    };
    body: CreateTokenInputBody;
    answer: EnvelopeCreatedToken;
  };
  /** Revoke a gateway token: it is refused from then on (ours) */
  "DELETE /client/v4/accounts/{account}/ai-gateway/tokens/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeTokenView;
  };
  /** List saved views: your own and the shared ones (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/views": {
    query: {
      /** page number, from 1; a page past the end is empty */
      page?: number;
      /** items per page */
      per_page?: number;
      /** only those of this gateway */
      gateway_id?: string;
      /** only those of this page */
      of?: string;
    };
    body: undefined;
    answer: ListEnvelopeSavedViewPageInfo;
  };
  /** Save a view (ours) */
  "POST /client/v4/accounts/{account}/ai-gateway/views": {
    query: {
    };
    body: SavedViewBody;
    answer: EnvelopeSavedView;
  };
  /** Delete a saved view (ours) */
  "DELETE /client/v4/accounts/{account}/ai-gateway/views/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeSavedView;
  };
  /** Get a saved view (ours) */
  "GET /client/v4/accounts/{account}/ai-gateway/views/{id}": {
    query: {
    };
    body: undefined;
    answer: EnvelopeSavedView;
  };
  /** Change a saved view (ours) */
  "PUT /client/v4/accounts/{account}/ai-gateway/views/{id}": {
    query: {
    };
    body: SavedViewBody;
    answer: EnvelopeSavedView;
  };
  /** List the audit log by the reference's parameters */
  "GET /client/v4/accounts/{account}/audit_logs": {
    query: {
      /** page number, from 1 */
      page?: number;
      /** items per page */
      per_page?: number;
      direction?: "asc" | "desc";
      /** RFC 3339 */
      since?: string;
      /** RFC 3339 */
      before?: string;
      "action.type"?: string;
      "actor.ip"?: string;
      "actor.email"?: string;
    };
    body: undefined;
    answer: ListEnvelopeAuditViewAuditInfo;
  };
  /** Whether the caller's token is good, in an account */
  "GET /client/v4/accounts/{account}/tokens/verify": {
    query: {
    };
    body: undefined;
    answer: EnvelopeVerifiedToken;
  };
  /** Use a one-time link: set a password by it, and sign in (ours) */
  "POST /client/v4/claim": {
    query: {
    };
    body: UseLinkInputBody;
    answer: EnvelopeSessionView;
  };
  /** Whose password a one-time link sets (ours) */
  "POST /client/v4/claim/check": {
    query: {
    };
    body: CheckLinkInputBody;
    answer: EnvelopeLinkView;
  };
  /** Make a one-time link by which somebody becomes an admin of the process (ours) */
  "POST /client/v4/claim/link": {
    query: {
    };
    body: undefined;
    answer: EnvelopeCreatedLink;
  };
  /** The reference's GraphQL API, as far as it is about AI Gateway */
  "POST /client/v4/graphql": {
    query: {
    };
    body: {
      operationName?: string | null;
      query: string;
      variables?: Record<string, unknown> | null;
    };
    answer: unknown;
  };
  /** List what the caller is in which account */
  "GET /client/v4/memberships": {
    query: {
      /** page number, from 1 */
      page?: number;
      /** items per page */
      per_page?: number;
      /** id of the account */
      name?: string;
      direction?: "asc" | "desc";
    };
    body: undefined;
    answer: ListEnvelopeAccountMembershipPageInfo;
  };
  /** This API as an OpenAPI 3.1 document */
  "GET /client/v4/openapi.json": {
    query: {
    };
    body: undefined;
    answer: unknown;
  };
  /** This API as an OpenAPI 3.1 document, YAML */
  "GET /client/v4/openapi.yaml": {
    query: {
    };
    body: undefined;
    answer: unknown;
  };
  /** Sign out (ours) */
  "DELETE /client/v4/session": {
    query: {
    };
    body: undefined;
    answer: EnvelopeSessionView;
  };
  /** Who is signed in, and how one can (ours) */
  "GET /client/v4/session": {
    query: {
    };
    body: undefined;
    answer: EnvelopeSessionView;
  };
  /** Sign in by e-mail address and password (ours) */
  "POST /client/v4/session": {
    query: {
    };
    body: SignInInputBody;
    answer: EnvelopeSessionView;
  };
  /** Sign in by the identity provider: leads there (ours) */
  "GET /client/v4/session/oidc": {
    query: {
    };
    body: undefined;
    answer: unknown;
  };
  /** The end of a sign-in by the identity provider: a page (ours) */
  "GET /client/v4/session/oidc/callback": {
    query: {
    };
    body: undefined;
    answer: unknown;
  };
  /** Who the caller is */
  "GET /client/v4/user": {
    query: {
    };
    body: undefined;
    answer: EnvelopeUserView;
  };
  /** Change the own password: all sessions end (ours) */
  "PUT /client/v4/user/password": {
    query: {
    };
    body: ChangePasswordInputBody;
    answer: EnvelopeSessionView;
  };
  /** Whether the caller's token is good */
  "GET /client/v4/user/tokens/verify": {
    query: {
    };
    body: undefined;
    answer: EnvelopeVerifiedToken;
  };
}
