#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Makes the certificates that the TLS tests need in the folder that is given:
#   ca.pem ca2.pem          two authorities
#   NAME.pem                a server's key and certificate: good expired future other ip cn self
#   client.pem client2.pem  a client's certificate, of ca and of ca2; client.key is for both
#   other.key locked.key garbage.pem
set -euo pipefail
cd "$1"
exec >/dev/null 2>make.log

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
authority() { # NAME SUBJECT
	key "$1.key"
	openssl req -x509 -new -key "$1.key" -days 3 -subj "/O=ringspan tests/CN=$2" -out "$1.pem"
	: >"$1.index"
	cat >"$1.cnf" <<-END
		[ca]
		default_ca = it
		[it]
		database = $1.index
		rand_serial = yes
		unique_subject = no
		new_certs_dir = .
		certificate = $1.pem
		private_key = $1.key
		default_md = sha256
		policy = any
		[any]
		commonName = supplied
	END
}
issue() { # CA NAME KEY COMMON-NAME FROM TO [SUBJECT-ALT-NAME]
	openssl req -new -key "$3" -subj "/CN=$4" -out "$2.csr"
	: >"$2.ext"
	[ -z "${7:-}" ] || echo "subjectAltName = $7" >"$2.ext"
	openssl ca -batch -notext -config "$1.cnf" -in "$2.csr" -out "$2.crt" -startdate "$5" \
		-enddate "$6" -extfile "$2.ext"
}
server() { # NAME COMMON-NAME FROM TO [SUBJECT-ALT-NAME]
	issue ca "$1" server.key "${@:2}"
	cat server.key "$1.crt" >"$1.pem"
}

from=$(date -u -d '-1 day' +%Y%m%d%H%M%SZ) to=$(date -u -d '+2 days' +%Y%m%d%H%M%SZ)
authority ca 'First CA'
authority ca2 'Second CA'
key server.key
key client.key
key other.key
server good localhost "$from" "$to" DNS:localhost
server expired localhost 20200101000000Z 20240102030405Z DNS:localhost
server future localhost 20900304000000Z 20910101000000Z DNS:localhost
server other elsewhere.example "$from" "$to" DNS:elsewhere.example,DNS:b.example
server ip localhost "$from" "$to" IP:127.0.0.1,DNS:localhost
server cn 127.0.0.1 "$from" "$to"
openssl req -x509 -new -key server.key -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -out self.crt
cat server.key self.crt >self.pem
issue ca client client.key agent "$from" "$to"
issue ca2 client2 client.key agent "$from" "$to"
mv client.crt client.pem
mv client2.crt client2.pem
openssl pkcs8 -topk8 -in client.key -passout pass:x -out locked.key
printf -- '-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n' >garbage.pem
