// Looks at the explorer in a real browser and fails on any request to another
// host, any console error, any broken answer and any layout wider than its
// screen.
//
//   node e2e/check.mjs http://127.0.0.1:8080/graphiql
//
// With COMPANY, OPERATOR_EMAIL and OPERATOR_PASSWORD in the environment (the
// names `sello dev --env-file` writes) it signs in as well, waits for the
// schema, holds the examples against it and runs one operation.
// CHROMIUM names the browser (default /usr/bin/chromium); SCREENSHOTS a folder
// for pictures.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const address = process.argv[2];
if (!address) {
  console.error('usage: check.mjs URL');
  process.exit(2);
}
const { host, hostname } = new URL(address);
const { COMPANY, OPERATOR_EMAIL, OPERATOR_PASSWORD, SCREENSHOTS } = process.env;
const operator = COMPANY && OPERATOR_EMAIL && OPERATOR_PASSWORD;
const problems = [];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${hostname}`,
  ],
});
try {
  await look('desktop', { viewport: { width: 1280, height: 800 } });
  await look('tablet', { viewport: { width: 820, height: 1180 } });
  await look('phone', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  await look('phone-dark', {
    viewport: { width: 390, height: 844 },
    isMobile: true,
    hasTouch: true,
    colorScheme: 'dark',
  });
  await look('desktop-dark', { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' });
} finally {
  await browser.close();
}
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}
console.log(`ok: ${address}${operator ? ', signed in' : ''}, no foreign request, no console error`);

async function look(name, device) {
  const context = await browser.newContext(device);
  context.setDefaultTimeout(20_000);
  const note = (what) => problems.push(`${name}: ${what}`);
  const asked = [];
  context.on('request', (request) => {
    const url = new URL(request.url());
    asked.push(url.pathname);
    if (!['data:', 'blob:'].includes(url.protocol) && url.host !== host) {
      note(`request to another host: ${request.url()}`);
    }
  });
  context.on('response', (response) => {
    if (response.status() >= 400) {
      note(`${response.status()} for ${response.url()}`);
    }
  });
  context.on('requestfailed', (request) => {
    note(`request failed: ${request.url()}: ${request.failure()?.errorText}`);
  });
  context.on('weberror', (error) => note(`uncaught: ${error.error().message}`));
  context.on('console', (message) => {
    if (message.type() === 'error') {
      note(`console error: ${message.text()}`);
    }
  });

  const page = await context.newPage();
  page.on('websocket', (socket) => {
    if (new URL(socket.url()).host !== host) {
      note(`socket to another host: ${socket.url()}`);
    }
  });
  const picture = async (what) => {
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (wide > 0) {
      note(`${what}: the page is ${wide}px wider than the screen`);
    }
    if (SCREENSHOTS) {
      mkdirSync(SCREENSHOTS, { recursive: true });
      await page.screenshot({ path: join(SCREENSHOTS, `${name}-${what}.png`) });
    }
  };

  await page.goto(address);
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  await page.getByText('to load the schema and run operations').waitFor();
  if (asked.some((path) => path.endsWith('/graphql'))) {
    note('the page asks /graphql before anybody signed in');
  }
  await picture('signed-out');

  const fold = page.locator('.strip .fold');
  if (await fold.isVisible()) {
    await fold.click();
    await picture('form');
  }
  await page.getByRole('radio', { name: 'API key' }).check({ force: true });
  await page.getByLabel('API key', { exact: true }).last().waitFor();
  await page.getByRole('radio', { name: 'Operator' }).check({ force: true });

  if (operator) {
    await page.getByLabel('Company').fill(COMPANY);
    await page.getByLabel('E-mail').fill(OPERATOR_EMAIL);
    await page.getByLabel('Password').fill(OPERATOR_PASSWORD);
    await page.locator('.form button[type=submit]').click();
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
    // The editor's worker reports on the examples once it has the schema.
    await page.waitForFunction(() => globalThis.__MONACO?.editor.getModels().length > 0);
    await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    await page.locator('.graphiql-doc-explorer').getByText('query').first().waitFor();
    await picture('reference');
    await page.getByRole('button', { name: 'Hide Documentation Explorer' }).click();
    const wrong = await page.evaluate(() =>
      globalThis.__MONACO.editor
        .getModelMarkers({})
        .filter((marker) => marker.severity >= 4)
        .map((marker) => `line ${marker.startLineNumber}: ${marker.message}`),
    );
    for (const message of wrong) {
      note(`the examples do not fit the schema: ${message}`);
    }
    await picture('signed-in');

    await page.evaluate(() => {
      const models = globalThis.__MONACO.editor.getModels();
      models.find((model) => model.uri.path.endsWith('operation.graphql')).setValue('{ __typename }');
    });
    // Until the page has taken the text in, its button offers the examples.
    await page.getByRole('tab', { name: '<untitled>' }).waitFor();
    await page.getByRole('button', { name: /^Execute query/ }).click();
    await page.locator('.graphiql-response .view-line').getByText('"Query"').waitFor();
    await picture('answer');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in', exact: true }).locator('visible=true').first().waitFor();
  }
  await context.close();
}
