// Shows /openapi.json by Swagger UI, whose bundle is loaded before this. Nothing is asked of any other server.

SwaggerUIBundle({
	dom_id: "#docs",
	url: "/openapi.json",
	deepLinking: true,
	tryItOutEnabled: true,
	validatorUrl: null,
});
