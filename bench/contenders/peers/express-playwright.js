// A peer: Express and Playwright, one browser, a context for each render: what one would write after
// the published designs of such services. node express-playwright.js PORT CHROMIUM CONCURRENCY
const express = require('express');
const { chromium } = require('playwright-core');

const [port, executablePath, concurrency] = process.argv.slice(2);

async function main() {
  const browser = await chromium.launch({ executablePath, args: ['--disable-dev-shm-usage'] });

  // At most so many pages at once; the rest wait in the order in which they came.
  let free = Number(concurrency);
  const waiting = [];
  const acquire = () =>
    free > 0 ? (free--, Promise.resolve()) : new Promise((resolve) => waiting.push(resolve));
  const release = () => (waiting.length ? waiting.shift()() : free++);

  const render = (load) => async (request, response) => {
    await acquire();
    let context;
    try {
      const { width = 1280, height = 720 } = request.body.options ?? {};
      context = await browser.newContext({ viewport: { width, height } });
      const page = await context.newPage();
      await load(page, request.body);
      // As the farm captures: the same pixels, written for speed, which page.screenshot() cannot.
      const session = await context.newCDPSession(page);
      const capture = { format: 'png', optimizeForSpeed: true };
      const { data } = await session.send('Page.captureScreenshot', capture);
      response.type('image/png').send(Buffer.from(data, 'base64'));
    } catch (error) {
      response.status(500).json({ success: false, error: error.message, code: 'render_failed' });
    } finally {
      await context?.close().catch(() => {});
      release();
    }
  };

  const app = express();
  app.use(express.json({ limit: '50mb' }));
  app.get('/health', (_, response) => response.json({ status: 'ok' }));
  app.post('/render', render((page, { html }) => page.setContent(html, { waitUntil: 'load' })));
  app.post('/render-url', render((page, { url }) => page.goto(url, { waitUntil: 'load' })));
  const server = app.listen(Number(port), '127.0.0.1');

  process.on('SIGTERM', async () => {
    server.close();
    await browser.close();
    process.exit(0);
  });
}

main();
