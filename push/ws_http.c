/* HTTP on the push port: GET /healthz and /readyz, who may upgrade, and a problem document (RFC 9457) for all else.
 *
 * A refusal ends the connection: a body that may follow is not read. Two are not ours to word: the library answers 403 and a line
 * of HTML to an upgrade it doesn't know or an address with a broken escape, and just closes when a head is too large. */
#include "ws_private.h"

#include <assert.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "upgrade.h"

enum { HEADER_BYTES = 640, BODY_BYTES = 512 };

#define POLICY "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static const struct lws_protocol_vhost_options policy_header = {NULL, NULL, "content-security-policy:", POLICY};
static const struct lws_protocol_vhost_options nosniff_header = {&policy_header, NULL,
								 "x-content-type-options:", "nosniff"};
const struct lws_protocol_vhost_options ws_http_headers = {&nosniff_header, NULL, "cache-control:", "no-store"};

struct problem {
	unsigned status;
	const char *title;
	const char *code;
	const char *detail;
	const char *header; /* one more line of the head */
};

static const struct problem problems[] = {
	{400, "Bad Request", "subprotocol_unknown",
	 "Offer the subprotocol " UPGRADE_SUBPROTOCOL " in Sec-WebSocket-Protocol, and few others.", ""},
	{403, "Forbidden", "origin_not_allowed",
	 "Connect from a page of this server, or have the page's origin added to public.origins.", ""},
	{404, "Not Found", "path_not_found",
	 "There is nothing at this path: WebSockets are opened at " UPGRADE_PATH ".", ""},
	{405, "Method Not Allowed", "method_not_allowed", "Use GET here.", "Allow: GET\r\n"},
	{426, "Upgrade Required", "upgrade_required",
	 "Ask for an upgrade to websocket by the handshake of RFC 6455: this path opens WebSockets only.",
	 "Upgrade: websocket\r\nSec-WebSocket-Version: " UPGRADE_VERSION "\r\n"},
};

static const struct problem *
find_problem(unsigned status)
{
	const struct problem *problem = problems;

	while (problem->status != status) {
		problem++;
		assert(problem < problems + sizeof problems / sizeof problems[0]);
	}
	return problem;
}

/* Written as it stands: in an upgrade the library's own answer would be one of HTTP/1.0, because it hasn't read the version
 * yet. Returns what ends the connection. */
static int
refuse(struct lws *wsi, unsigned status, bool is_head)
{
	const struct problem *problem = find_problem(status);
	unsigned char bytes[LWS_PRE + HEADER_BYTES + BODY_BYTES];
	char *at = (char *)bytes + LWS_PRE;
	size_t body_len;
	char *body = json_to_text(json_pack("{s:s, s:s, s:i, s:s, s:s, s:b}", "type", "about:blank", "title",
					    problem->title, "status", (int)status, "code", problem->code, "detail",
					    problem->detail, "retryable", 0),
				  &body_len);
	int len = snprintf(at, HEADER_BYTES,
			   "HTTP/1.1 %u %s\r\nContent-Type: application/problem+json\r\nContent-Length: %zu\r\n"
			   "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
			   "Content-Security-Policy: " POLICY "\r\n%sConnection: close\r\n\r\n",
			   status, problem->title, body_len, problem->header);

	assert(len < HEADER_BYTES && body_len <= BODY_BYTES);
	if (!is_head) {
		memcpy(at + len, body, body_len);
		len += (int)body_len;
	}
	free(body);
	lws_write(wsi, (unsigned char *)at, (size_t)len, LWS_WRITE_HTTP);
	return -1;
}

static int
answer(struct lws *wsi, unsigned status, const char *body, bool is_head)
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
	if (!is_head && lws_write(wsi, text + LWS_PRE, len, LWS_WRITE_HTTP_FINAL) < 0)
		return -1;
	return lws_http_transaction_completed(wsi) ? -1 : 0;
}

int
ws_http_request(struct ws *ws, struct lws *wsi, const char *path)
{
	char *uri;
	int uri_len, method = lws_http_get_uri_and_method(wsi, &uri, &uri_len);
	bool is_head = method == LWSHUMETH_HEAD, reads = is_head || method == LWSHUMETH_GET;
	const struct upgrade_request request = {.path = path, .is_get = method == LWSHUMETH_GET};

	if (reads && strcmp(path, "/healthz") == 0)
		return answer(wsi, 200, "{\"status\":\"ok\"}", is_head);
	if (reads && strcmp(path, "/readyz") == 0)
		return answer(wsi, ws->ready ? 200 : 503,
			      ws->ready ? "{\"status\":\"ok\"}" : "{\"status\":\"not_ready\"}", is_head);
	if (strcmp(path, "/healthz") == 0 || strcmp(path, "/readyz") == 0)
		return refuse(wsi, 405, is_head);
	return refuse(wsi, upgrade_check(&request, NULL), is_head);
}

int
ws_http_unknown(struct lws *wsi)
{
	return refuse(wsi, 405, false);
}

/* NULL when the header isn't there; one too long for `text` is given as "?", which no rule accepts. */
static const char *
header(struct lws *wsi, enum lws_token_indexes token, char *text, size_t size)
{
	if (lws_hdr_total_length(wsi, token) <= 0)
		return NULL;
	return lws_hdr_copy(wsi, text, (int)size, token) > 0 ? text : "?";
}

/* The library's own idea of the upgrade is not looked at: after a first request on the same connection it may be freed
 * memory. Without the header, it has refused an upgrade it doesn't know by itself. */
int
ws_http_upgrade(struct ws *ws, struct lws *wsi)
{
	char upgrade[32], host[300], origin[320], subprotocols[256], connection[64], version[8], *uri;
	struct upgrade_request request = {
		.upgrade = header(wsi, WSI_TOKEN_UPGRADE, upgrade, sizeof upgrade),
		.host = header(wsi, WSI_TOKEN_HOST, host, sizeof host),
		.origin = header(wsi, WSI_TOKEN_ORIGIN, origin, sizeof origin),
		.subprotocols = header(wsi, WSI_TOKEN_PROTOCOL, subprotocols, sizeof subprotocols),
		.connection = header(wsi, WSI_TOKEN_CONNECTION, connection, sizeof connection),
		.version = header(wsi, WSI_TOKEN_VERSION, version, sizeof version),
		.key_len = (size_t)lws_hdr_total_length(wsi, WSI_TOKEN_KEY),
	};
	unsigned status;
	int uri_len, method;

	if (request.upgrade == NULL)
		return -1;
	method = lws_http_get_uri_and_method(wsi, &uri, &uri_len);
	request.path = method < 0 ? NULL : uri;
	request.is_get = method == LWSHUMETH_GET;
	status = upgrade_check(&request, ws->options.public_origins);
	return status == 101 ? 0 : refuse(wsi, status, method == LWSHUMETH_HEAD);
}
