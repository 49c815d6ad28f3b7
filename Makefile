# What people and CI do with this tree. `make check` is what CI checks besides tests.

GO ?= go

.PHONY: dev test race generate check lint fmt graphiql

dev: ; $(GO) run . dev
test: ; $(GO) test ./...
race: ; $(GO) test -race ./...

# Twice in a row changes nothing; CI checks that nothing is left to generate.
generate:
	CGO_ENABLED=0 $(GO) tool sqlc generate
	$(GO) tool gqlgen generate
	cd server/gqlhttp/internal/testschema && $(GO) tool gqlgen generate

graphiql: ; cd console/graphiql && npm ci --ignore-scripts && npm run build

fmt: ; gofmt -w $$(git ls-files '*.go')
lint: ; $(GO) tool -modfile=tools/go.mod golangci-lint run ./...

check:
	test -z "$$(gofmt -l $$(git ls-files '*.go'))"
	$(GO) vet ./...
	CGO_ENABLED=0 $(GO) tool sqlc vet
	$(MAKE) lint
