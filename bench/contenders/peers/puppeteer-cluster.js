// A peer: puppeteer-cluster behind Express, a browser context for each render, as its README shows.
// node puppeteer-cluster.js PORT CHROMIUM CONCURRENCY
const express = require('express');
const puppeteer = require('puppeteer-core');
const { Cluster } = require('puppeteer-cluster');

const [port, chromium, concurrency] = process.argv.slice(2);

// As the farm captures: the same pixels, written for speed.
const CAPTURE = { type: 'png', optimizeForSpeed: true };

async function main() {
  const cluster = await Cluster.launch({
    puppeteer,
    concurrency: Cluster.CONCURRENCY_CONTEXT,
    maxConcurrency: Number(concurrency),
    timeout: 30_000,
    puppeteerOptions: {
      executablePath: chromium,
      headless: 'shell',
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
      defaultViewport: { width: 1280, height: 720 },
    },
  });

  const render = (load) => async (request, response) => {
    try {
      const png = await cluster.execute(async ({ page }) => {
        const { width = 1280, height = 720 } = request.body.options ?? {};
        if (width !== 1280 || height !== 720) await page.setViewport({ width, height });
        await load(page, request.body);
        return page.screenshot(CAPTURE);
      });
      response.type('image/png').send(Buffer.from(png));
    } catch (error) {
      response.status(500).json({ success: false, error: error.message, code: 'render_failed' });
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
    await cluster.close();
    process.exit(0);
  });
}

main();
