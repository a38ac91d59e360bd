/* HTTP on the push port: GET /healthz and /readyz, 404 for all else, and who may upgrade. */
#include "ws_private.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "upgrade.h"

enum { HEADER_BYTES = 512 };

static int
answer(struct lws *wsi, unsigned status, const char *body)
{
	unsigned char bytes[LWS_PRE + HEADER_BYTES];
	unsigned char *start = bytes + LWS_PRE;
	unsigned char *at = start;
	unsigned char *end = bytes + sizeof bytes;
	size_t len = strlen(body);
	unsigned char text[LWS_PRE + HEADER_BYTES];

	if (lws_add_http_common_headers(wsi, status, "application/json", len, &at, end) ||
	    lws_finalize_write_http_header(wsi, start, &at, end))
		return -1;
	memcpy(text + LWS_PRE, body, len);
	if (lws_write(wsi, text + LWS_PRE, len, LWS_WRITE_HTTP_FINAL) < 0)
		return -1;
	return lws_http_transaction_completed(wsi) ? -1 : 0;
}

int
ws_http_request(struct ws *ws, struct lws *wsi, const char *path)
{
	bool is_get = lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0;

	if (is_get && strcmp(path, "/healthz") == 0)
		return answer(wsi, 200, "{\"status\":\"ok\"}");
	if (is_get && strcmp(path, "/readyz") == 0)
		return answer(wsi, ws->ready ? 200 : 503,
			      ws->ready ? "{\"status\":\"ok\"}" : "{\"status\":\"not_ready\"}");
	if (lws_return_http_status(wsi, 404, NULL) || !is_get) /* a body that may follow is not read */
		return -1;
	return lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* NULL when the header isn't there; one too long for `text` is given as "?", which no rule accepts. */
static const char *
header(struct lws *wsi, enum lws_token_indexes token, char *text, size_t size)
{
	if (lws_hdr_total_length(wsi, token) <= 0)
		return NULL;
	return lws_hdr_copy(wsi, text, (int)size, token) > 0 ? text : "?";
}

/* The library's own answer would be one of HTTP/1.0, because it hasn't read the version yet. */
static void
refuse(struct lws *wsi, unsigned status)
{
	unsigned char bytes[LWS_PRE + HEADER_BYTES];
	const char *phrase = status == 403 ? "Forbidden" : status == 404 ? "Not Found" : "Bad Request";
	int len = snprintf((char *)bytes + LWS_PRE, HEADER_BYTES,
			   "HTTP/1.1 %u %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status, phrase);

	lws_write(wsi, bytes + LWS_PRE, (size_t)len, LWS_WRITE_HTTP);
}

/* The library's own idea of the upgrade is not looked at: after a first request on the same connection it may be freed
 * memory. */
int
ws_http_upgrade(struct ws *ws, struct lws *wsi)
{
	char path[64], upgrade[32], host[300], origin[320], subprotocols[256];
	struct upgrade_request request = {
		.path = header(wsi, WSI_TOKEN_GET_URI, path, sizeof path),
		.upgrade = header(wsi, WSI_TOKEN_UPGRADE, upgrade, sizeof upgrade),
		.host = header(wsi, WSI_TOKEN_HOST, host, sizeof host),
		.origin = header(wsi, WSI_TOKEN_ORIGIN, origin, sizeof origin),
		.subprotocols = header(wsi, WSI_TOKEN_PROTOCOL, subprotocols, sizeof subprotocols),
	};
	unsigned status = upgrade_check(&request, ws->options.public_origins);

	if (status == 101)
		return 0;
	if (request.upgrade != NULL && strcasecmp(request.upgrade, "websocket") == 0)
		refuse(wsi, status);
	return -1;
}
