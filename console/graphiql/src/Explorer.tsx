import { GraphiQL } from 'graphiql';
import { useEffect, useMemo, useSyncExternalStore } from 'react';
import { exampleOperations, exampleVariables } from './examples';
import { createTransport } from './fetcher';
import type { Session } from './session';
import { SignInStrip } from './SignInStrip';
import { headerlessStorage } from './storage';

const startTabs = [{ query: exampleOperations, variables: exampleVariables }];

/** The whole page: the sign-in strip above GraphiQL. */
export function Explorer({ session }: { session: Session }) {
  const state = useSyncExternalStore(session.subscribe, session.snapshot);
  const { generation } = state;
  // A new person gets a new transport; GraphiQL then reads the schema again.
  // biome-ignore lint/correctness/useExhaustiveDependencies: generation stands for the person
  const { fetcher, socket } = useMemo(() => createTransport(session), [session, generation]);
  useEffect(() => () => void socket.dispose(), [socket]);

  const signedIn = state.credential.kind !== 'none';
  return (
    <>
      <SignInStrip session={session} state={state} />
      <main className="explorer">
        <GraphiQL
          fetcher={fetcher}
          // null keeps GraphiQL from asking for a schema that nobody would get.
          schema={signedIn ? undefined : null}
          schemaDescription
          inputValueDeprecation
          storage={headerlessStorage}
          defaultTabs={startTabs}
          defaultQuery=""
          // GraphiQL fills the first tab's pane from here, not from defaultTabs.
          initialVariables={headerlessStorage.getItem('graphiql:variables') === null ? exampleVariables : undefined}
          defaultEditorToolsVisibility="variables"
          showPersistHeadersSettings={false}
        >
          <GraphiQL.Logo>
            <span />
          </GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  );
}
