package gqlhttp

import (
	"strings"

	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// validationRules are the default ones with those that guess at names
// ("Did you mean …?") replaced: the schema is not for strangers. The executor
// changes what it gets, so each document has its own.
func validationRules() *rules.Rules {
	r := rules.NewDefaultRules()
	for _, quiet := range []core.Rule{
		rules.KnownArgumentNamesRuleWithoutSuggestions,
		rules.KnownTypeNamesRuleWithoutSuggestions,
		rules.ValuesOfCorrectTypeRuleWithoutSuggestions,
	} {
		r.RemoveRule(strings.TrimSuffix(quiet.Name, "WithoutSuggestions"))
		r.AddRule(quiet.Name, quiet.RuleFunc)
	}
	return r
}

// persisted is the list of known documents, by id and by text.
type persisted struct {
	byID   map[string]string
	byText map[string]struct{}
}

func newPersisted(documents map[string]string) persisted {
	p := persisted{byID: map[string]string{}, byText: map[string]struct{}{}}
	for id, text := range documents {
		p.byID[trimHash(id)] = text
		p.byText[text] = struct{}{}
	}
	return p
}

// trimHash makes "sha256:<hex>" and "<hex>" the same id.
func trimHash(id string) string { return strings.TrimPrefix(id, "sha256:") }

func (p persisted) known(text string) bool {
	_, known := p.byText[text]
	return known
}
