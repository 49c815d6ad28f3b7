// Runs the public GraphQL-over-HTTP audit (npm: graphql-http) against a running
// server and fails on every error, warning and notice that is not listed below.
//
//   node run.mjs URL [TOKEN]
//
// TOKEN is sent as "Authorization: Bearer TOKEN". The audit asks for __type, so
// the token's owner must be allowed to introspect.
import { serverAudits } from 'graphql-http';

const [url, token] = process.argv.slice(2);
if (!url) {
  console.error('usage: node run.mjs URL [TOKEN]');
  process.exit(2);
}

// Notices are about what a server MAY do. One that is left on purpose is named
// here with its reason; a listed id that passes is an error, so the list stays true.
const accepted = new Map();

const fetchFn = (input, init = {}) => {
  const headers = new Headers(init.headers);
  if (token) headers.set('authorization', `Bearer ${token}`);
  return fetch(input, { ...init, headers, signal: AbortSignal.timeout(10_000) });
};

const counts = { ok: 0, notice: 0, warn: 0, error: 0 };
let failed = false;
for (const audit of serverAudits({ url, fetchFn })) {
  const result = await audit.fn();
  counts[result.status]++;
  if (result.status === 'ok') {
    if (accepted.has(audit.id)) {
      failed = true;
      console.error(`${audit.id} passes: take it off the list in run.mjs`);
    }
    continue;
  }
  const reason = accepted.get(audit.id);
  if (!reason || result.status !== 'notice') failed = true;
  console.error(`${result.status} ${audit.id} ${audit.name}: ${result.reason}${reason ? ` (accepted: ${reason})` : ''}`);
  await result.response?.body?.cancel().catch(() => {});
}
console.log(`graphql-http audit: ${counts.ok} ok, ${counts.notice} notices, ${counts.warn} warnings, ${counts.error} errors`);
if (counts.ok === 0) failed = true; // nothing ran
process.exit(failed ? 1 : 0);
