import { type FormEvent, useId, useState } from 'react';
import { type Credential, type Session, SignInError, type SessionState } from './session';

type Way = 'operator' | 'key';

/** The strip at the top: who is signed in, or the forms to sign in. */
export function SignInStrip({ session, state }: { session: Session; state: SessionState }) {
  const { credential, notice } = state;
  // Only small screens fold the form away; wide ones always show it.
  const [open, setOpen] = useState(false);
  const formId = useId();

  if (credential.kind !== 'none') {
    return (
      <header className="strip">
        <Brand />
        <Identity credential={credential} />
        <button type="button" className="button quiet" onClick={() => session.signOut()}>
          Sign out
        </button>
      </header>
    );
  }
  return (
    <header className={open ? 'strip open' : 'strip'}>
      <Brand />
      <button
        type="button"
        className="button fold"
        aria-expanded={open}
        aria-controls={formId}
        onClick={() => setOpen(!open)}
      >
        {open ? 'Close' : 'Sign in'}
      </button>
      <SignInForm id={formId} session={session} />
      <p className="hint" role="status">
        {notice || 'Sign in as an operator, or with an API key, to load the schema and run operations.'}
      </p>
    </header>
  );
}

function Brand() {
  return (
    <h1 className="brand">
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" fill="#0f766e" />
        <circle cx="16" cy="16" r="9.25" fill="none" stroke="#fff" strokeWidth="2.5" strokeDasharray="3.1 1.74" />
        <path
          d="m11.8 16.3 2.9 2.9 5.6-6"
          fill="none"
          stroke="#fff"
          strokeWidth="2.6"
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      </svg>
      <span>
        Sello <small>GraphQL</small>
      </span>
    </h1>
  );
}

function Identity({ credential }: { credential: Exclude<Credential, { kind: 'none' }> }) {
  return (
    <p className="identity">
      <span className="dot" aria-hidden="true" />
      {credential.kind === 'key' ? (
        <span className="who">API key …{credential.key.slice(-4)}</span>
      ) : (
        <>
          <span className="who">{credential.email}</span>
          <span className="tag">{credential.company}</span>
        </>
      )}
    </p>
  );
}

function SignInForm({ id, session }: { id: string; session: Session }) {
  const [way, setWay] = useState<Way>('operator');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const value = (name: string) => String(form.get(name) ?? '');
    if (way === 'key') {
      // People paste the header as it stands in a script.
      const key = value('key').trim().replace(/^(authorization:\s*)?bearer\s+/i, '');
      if (/^[\x21-\x7e]+$/.test(key)) {
        session.useKey(key);
      } else {
        setProblem('This is not a key: it holds spaces or letters no key has.');
      }
      return;
    }
    setBusy(true);
    setProblem('');
    try {
      await session.signIn(value('company').trim(), value('email').trim(), value('password'));
    } catch (err) {
      setProblem(err instanceof SignInError ? err.message : 'Signing in failed.');
      setBusy(false);
    }
  }

  function choose(next: Way) {
    setWay(next);
    setProblem('');
  }

  return (
    <form id={id} className="form" onSubmit={(event) => void submit(event)} aria-busy={busy}>
      <fieldset className="ways">
        <legend className="hidden-label">Sign in with</legend>
        <WayChoice way="operator" label="Operator" chosen={way} onChoose={choose} />
        <WayChoice way="key" label="API key" chosen={way} onChoose={choose} />
      </fieldset>
      {way === 'operator' ? (
        <>
          <Field name="company" label="Company" autoComplete="organization" />
          <Field name="email" label="E-mail" type="email" autoComplete="username" />
          <Field name="password" label="Password" type="password" autoComplete="current-password" />
        </>
      ) : (
        <Field name="key" label="API key" type="password" autoComplete="off" wide />
      )}
      <button type="submit" className="button" disabled={busy}>
        {way === 'key' ? 'Use key' : busy ? 'Signing in…' : 'Sign in'}
      </button>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </form>
  );
}

function WayChoice(props: { way: Way; label: string; chosen: Way; onChoose: (way: Way) => void }) {
  return (
    <label>
      <input
        type="radio"
        name="way"
        className="hidden-label"
        checked={props.way === props.chosen}
        onChange={() => props.onChoose(props.way)}
      />
      <span>{props.label}</span>
    </label>
  );
}

function Field(props: { name: string; label: string; type?: string; autoComplete: string; wide?: boolean }) {
  return (
    <label className={props.wide ? 'field wide' : 'field'}>
      <span>{props.label}</span>
      <input
        name={props.name}
        type={props.type ?? 'text'}
        autoComplete={props.autoComplete}
        autoCapitalize="none"
        spellCheck={false}
        required
      />
    </label>
  );
}
