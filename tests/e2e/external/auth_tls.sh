#!/bin/bash
# SPDX-License-Identifier: ISC
#
# TLS to servers, with and without a client certificate: whoever isn't the
# one expected, at either end, is refused. The monitoring ports likewise.
# shellcheck source=tests/e2e/external/auth_lib.sh
. "$(dirname "$0")/auth_lib.sh"

server=$(any_server) || exit

# tls CERTIFICATE MORE: a block of a configuration
tls()
{
	printf '{ cert_file: "%s", key_file: "%s", %s }' \
		"$keys/$1.pem" "$keys/$1.key" "$2"
}

key=$(sed -n 2p "$keys/client.key")
serve "$server" "tls $(tls server '')
https: \"127.0.0.1:-1\""
url=nats://localhost:$port
ca=(--tls-ca "$keys/ca.pem")
passes "$key" --url "$url" "${ca[@]}"
expect_same_check "$work/run"
passes "$key" --url "tls://127.0.0.1:$port" "${ca[@]}" \
	--monitor "https://localhost:$monitor"
expect '.servers[0].version | length > 0' "the monitor was not heard"
SSL_CERT_FILE=$keys/ca.pem passes "$key" --url "$url" --tls
refused "no TLS with .nats://localhost:$port.*: .*certificate" "$key" \
	--url "$url" --tls
refused "no TLS with .*: .*certificate" "$key" --url "$url" \
	--tls-ca "$keys/other-ca.pem"
refused "no TLS with .*: .*hostname mismatch:expected=elsewhere.example" \
	"$key" --url "$url" "${ca[@]}" --tls-hostname elsewhere.example
# Somebody else's certificate, by the same authority.
serve "$server" "tls $(tls elsewhere '')
https: \"127.0.0.1:-1\""
url=nats://localhost:$port
refused "no TLS with .*: .*hostname mismatch:expected=localhost" "$key" \
	--url "$url" "${ca[@]}"
passes "$key" --url "$url" "${ca[@]}" --tls-hostname elsewhere.example \
	--monitor "https://127.0.0.1:$monitor"
expect '.servers[0].version | length > 0' "the monitor was not heard"
refused "no TLS with --monitor .https://localhost:$monitor.*: SSL" "$key" \
	--url "$url" "${ca[@]}" --monitor "https://localhost:$monitor"

# Clients must have a certificate.
serve "$server" "tls $(tls server "ca_file: \"$keys/ca.pem\", verify: true")"
url=nats://localhost:$port
client=(--tls-cert "$keys/client.pem" --tls-key "$keys/client.key")
passes "$key" --url "$url" "${ca[@]}" "${client[@]}"
refused "does it want another --tls-cert" "$key" --url "$url" "${ca[@]}"
refused "does it want another --tls-cert" "$(sed -n 2p "$keys/stranger.key")" \
	--url "$url" "${ca[@]}" --tls-cert "$keys/stranger.pem" \
	--tls-key "$keys/stranger.key"
refused "no TLS with .*: .*key values mismatch" "$key" --url "$url" \
	"${ca[@]}" --tls-cert "$keys/stranger.pem" --tls-key "$keys/client.key"

# Nobody has TLS but the client.
serve "$server" ""
refused "has no TLS, which --tls" "$key" --url "nats://localhost:$port" --tls
end_server
expect_nothing_survives 5
