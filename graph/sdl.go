package graph

import (
	"strings"

	"github.com/vektah/gqlparser/v2/formatter"
)

// SDL is the schema as text, with its descriptions.
func SDL() string {
	var b strings.Builder
	formatter.NewFormatter(&b).FormatSchema(NewSchema(&Resolver{}).Schema())
	return b.String()
}
