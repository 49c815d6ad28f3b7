/// <reference types="vite/client" />

/** How Monaco asks the page for a worker; it reads this global once. */
declare var MonacoEnvironment: { getWorker(id: string, label: string): Worker } | undefined;
