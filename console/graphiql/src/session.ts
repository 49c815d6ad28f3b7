import { endpoint } from './endpoint';

/** Nobody, an operator who signed in with a password, or the holder of an API key. */
export type Credential =
  | { kind: 'none' }
  | {
      kind: 'operator';
      company: string;
      email: string;
      accessToken: string;
      refreshToken: string;
      /** Milliseconds since 1970, by the server's clock. */
      expiresAt: number;
    }
  | { kind: 'key'; key: string };

type Operator = Extract<Credential, { kind: 'operator' }>;

/** What the strip shows. `generation` changes with the person, not with a renewed token. */
export interface SessionState {
  credential: Credential;
  generation: number;
  /** Why the last session ended by itself; empty otherwise. */
  notice: string;
}

interface Tokens {
  accessToken: string | null;
  refreshToken: string | null;
  expiresAt: string | null;
  userErrors: { code: string; message: string }[];
}

/** A refusal or a failure whose text is meant for the person at the screen. */
export class SignInError extends Error {
  constructor(
    message: string,
    /** True when the server understood and said no: asking again cannot help. */
    readonly refused: boolean,
  ) {
    super(message);
    this.name = 'SignInError';
  }
}

const storageKey = 'sello.graphiql.session';

/** Tokens are renewed this long before they end, so that none ends on its way. */
const renewBeforeMs = 30_000;

const signIn = `mutation SignIn($input: SessionCreateInput!) {
  sessionCreate(input: $input) { accessToken refreshToken expiresAt userErrors { code message } }
}`;

const renew = `mutation RenewSession($input: SessionRefreshInput!) {
  sessionRefresh(input: $input) { accessToken refreshToken expiresAt userErrors { code message } }
}`;

/**
 * Session holds the credential of this browser tab. It lives in memory and in
 * sessionStorage (a reload keeps it, closing the tab forgets it), never in
 * localStorage or a cookie.
 */
export class Session {
  #state: SessionState = { credential: load(), generation: 0, notice: '' };
  #listeners = new Set<() => void>();
  #renewing: Promise<void> | null = null;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  snapshot = (): SessionState => this.#state;

  async signIn(company: string, email: string, password: string): Promise<void> {
    const tokens = await call('sessionCreate', signIn, { company, email, password });
    this.#enter({ kind: 'operator', company, email, ...tokens });
  }

  useKey(key: string): void {
    this.#enter({ kind: 'key', key });
  }

  signOut(notice = ''): void {
    this.#enter({ kind: 'none' }, notice);
  }

  /** The Authorization value of the next request, renewed first if it is about to end; null for nobody. */
  async authorization(): Promise<string | null> {
    const { credential } = this.#state;
    if (credential.kind === 'operator' && Date.now() > credential.expiresAt - renewBeforeMs) {
      await this.renew();
    }
    return this.#bearer();
  }

  /**
   * Renews the operator's tokens; callers at the same time share one request,
   * because a refresh token may be good for one use only. A refusal signs out;
   * a fault of the network is thrown and leaves the session as it was.
   */
  async renew(): Promise<void> {
    const { credential } = this.#state;
    if (credential.kind !== 'operator') {
      return;
    }
    this.#renewing ??= this.#renew(credential).finally(() => {
      this.#renewing = null;
    });
    await this.#renewing;
  }

  async #renew(operator: Operator): Promise<void> {
    const { generation } = this.#state;
    try {
      const tokens = await call('sessionRefresh', renew, { refreshToken: operator.refreshToken });
      if (this.#state.generation === generation) {
        this.#set({ ...this.#state, credential: { ...operator, ...tokens } });
      }
    } catch (err) {
      if (!(err instanceof SignInError && err.refused)) {
        throw err;
      }
      if (this.#state.generation === generation) {
        this.signOut('Your session has ended. Sign in again.');
      }
    }
  }

  #bearer(): string | null {
    const { credential } = this.#state;
    switch (credential.kind) {
      case 'operator':
        return `Bearer ${credential.accessToken}`;
      case 'key':
        return `Bearer ${credential.key}`;
      default:
        return null;
    }
  }

  #enter(credential: Credential, notice = ''): void {
    this.#set({ credential, generation: this.#state.generation + 1, notice });
  }

  #set(state: SessionState): void {
    this.#state = state;
    save(state.credential);
    for (const listener of this.#listeners) {
      listener();
    }
  }
}

async function call(
  field: 'sessionCreate' | 'sessionRefresh',
  query: string,
  input: Record<string, string>,
): Promise<Pick<Operator, 'accessToken' | 'refreshToken' | 'expiresAt'>> {
  let response: Response;
  try {
    response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Accept: 'application/graphql-response+json, application/json;q=0.9',
      },
      body: JSON.stringify({ query, variables: { input } }),
    });
  } catch {
    throw new SignInError('The server cannot be reached.', false);
  }
  const body = (await response.json().catch(() => null)) as {
    data?: Record<string, Tokens | null> | null;
    errors?: { message: string }[];
  } | null;
  const tokens = body?.data?.[field];
  if (tokens?.accessToken && tokens.refreshToken) {
    const expiresAt = Date.parse(tokens.expiresAt ?? '');
    return {
      accessToken: tokens.accessToken,
      refreshToken: tokens.refreshToken,
      // Without a readable end the token is used until the server refuses it.
      expiresAt: Number.isNaN(expiresAt) ? Number.MAX_SAFE_INTEGER : expiresAt,
    };
  }
  const refusal = tokens?.userErrors[0]?.message;
  if (refusal) {
    throw new SignInError(refusal, true);
  }
  const fault = body?.errors?.[0]?.message;
  throw new SignInError(fault ?? `The server answered ${response.status}.`, response.status === 401);
}

function load(): Credential {
  try {
    const stored = JSON.parse(sessionStorage.getItem(storageKey) ?? 'null') as Credential | null;
    if (stored?.kind === 'operator' || stored?.kind === 'key') {
      return stored;
    }
  } catch {
    // No storage (private mode) or not ours: begin signed out.
  }
  return { kind: 'none' };
}

function save(credential: Credential): void {
  try {
    if (credential.kind === 'none') {
      sessionStorage.removeItem(storageKey);
    } else {
      sessionStorage.setItem(storageKey, JSON.stringify(credential));
    }
  } catch {
    // No storage: the session lives as long as the page.
  }
}
