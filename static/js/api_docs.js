// Shows the API's schema with Swagger, which is served from this site; nothing is sent elsewhere.
const place = document.querySelector("#swagger");

window.SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  persistAuthorization: false,
  validatorUrl: null,
});
