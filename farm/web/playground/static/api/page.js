// Swagger UI over this farm's own document; nothing is asked of any other host.
/* global SwaggerUIBundle */

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  presets: [SwaggerUIBundle.presets.apis],
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  defaultModelExpandDepth: 2,
  displayRequestDuration: true,
  docExpansion: "list",
  tryItOutEnabled: true,
  validatorUrl: null,
  // Its colours would come late for answers of some megabytes.
  syntaxHighlight: { activated: true },
});

const scheme = document.documentElement.dataset.scheme;
const system = matchMedia("(prefers-color-scheme: dark)");
const paint = () =>
  document.documentElement.classList.toggle(
    "dark-mode",
    scheme ? scheme === "dark" : system.matches,
  );
system.addEventListener("change", paint);
paint();
