package gqlhttp

import (
	"context"
	"errors"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"
)

// guard holds documents to the structural limits before gqlgen spends anything
// on them. It must be the executor's first extension: its first half runs
// before the parser, its second half (expand.go) before the complexity walk.
type guard struct {
	limits        Limits
	introspection func(ctx context.Context) bool
	refused       func(ctx context.Context, reason string)
	cache         *documentCache
}

// ExtensionName implements graphql.HandlerExtension.
func (*guard) ExtensionName() string { return "DocumentGuard" }

// Validate implements graphql.HandlerExtension.
func (*guard) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters refuses a document by its tokens alone. One that is in
// the cache has been through this before.
func (g *guard) MutateOperationParameters(ctx context.Context, request *graphql.RawParams) *gqlerror.Error {
	if op := operationOf(ctx); op != nil {
		if op.known = g.cache.find(request.Query); op.known != nil {
			return nil
		}
	}
	if over := scan(request.Query, g.limits); over != nil {
		g.refused(ctx, over.reason)
		return over.refusal()
	}
	return nil
}

// excess is a limit that a document passes.
type excess struct {
	reason string
	what   string
	limit  int
}

// Error implements error.
func (e *excess) Error() string { return "too complex: " + e.reason }

// refusal is what the client is told.
func (e *excess) refusal() *gqlerror.Error {
	switch e.reason {
	case ReasonDefer:
		err := refuse(CodeDocumentTooComplex, "@defer is not supported.")
		err.Extensions["reason"] = e.reason
		return err
	case ReasonNUL:
		return refuse(CodeBadRequest, "The document holds a NUL character.")
	}
	err := refuse(CodeDocumentTooComplex, "The document has too many %s (at most %d).", e.what, e.limit)
	err.Extensions["reason"] = e.reason
	err.Extensions["limit"] = e.limit
	return err
}

// scanner counts while it walks the tokens. It understands just enough of the
// grammar to tell selections from argument values: braces inside parentheses
// are values. A document it misreads is one that the parser refuses, and the
// token limit holds for it all the same.
type scanner struct {
	limits     Limits
	lexer      lexer.Lexer
	tokens     int
	aliases    int
	directives int
	fragments  int
	operations int
	repeated   int
	numbered   int // sets numbered so far
	sets       []set
	defining   bool // between a definition's keyword and its set, where names are just names
	inFragment bool // the next set is a named fragment's
	repeat     bool // the field just read repeats a response key
	keys       map[keyInSet]int
	merged     map[keyInSet]struct{}
}

// set is an open selection set.
type set struct {
	// literal numbers the pair of braces; merged numbers what validation compares
	// with each other: inline fragments share their parent's, and the tops of all
	// named fragments share mergedFragments, since they may meet in one set.
	literal, merged int
	depth           int
	selections      *int
}

const mergedFragments = 0

type keyInSet struct {
	set int
	key string
}

// scan reads a document once. Syntax errors end it without a refusal: the
// parser names them better.
func scan(document string, limits Limits) *excess {
	s := &scanner{
		limits: limits,
		lexer:  lexer.New(&ast.Source{Input: document}),
		keys:   map[keyInSet]int{},
		merged: map[keyInSet]struct{}{},
	}
	err := s.document()
	if over, isExcess := errors.AsType[*excess](err); isExcess {
		return over
	}
	return nil
}

var errSyntax = errors.New("syntax")

// next returns the next token that is not a comment.
func (s *scanner) next() (lexer.Token, error) {
	for {
		token, err := s.lexer.ReadToken()
		if err != nil {
			return token, errSyntax
		}
		if token.Kind == lexer.EOF {
			return token, errSyntax
		}
		if s.tokens++; s.tokens > s.limits.Tokens {
			return token, &excess{ReasonTokens, "tokens", s.limits.Tokens}
		}
		switch token.Kind {
		case lexer.Comment:
			continue
		case lexer.String, lexer.BlockString:
			if strings.IndexByte(token.Value, 0) >= 0 {
				return token, &excess{reason: ReasonNUL}
			}
		}
		return token, nil
	}
}

// document walks to the end, one selection set's or definition's token at a time.
func (s *scanner) document() error {
	token, err := s.next()
	for err == nil {
		switch {
		case token.Kind == lexer.ParenL:
			err = s.arguments()
		case token.Kind == lexer.At:
			err = s.directive()
		case token.Kind == lexer.BraceR:
			s.close()
		case len(s.sets) == 0:
			err = s.definition(token)
		case token.Kind == lexer.BraceL:
			err = s.open()
		case token.Kind == lexer.Spread:
			token, err = s.spread()
			continue
		case token.Kind == lexer.Name:
			token, err = s.field(token.Value)
			continue
		}
		if err == nil {
			token, err = s.next()
		}
	}
	return err
}

// definition counts what starts outside of all sets.
func (s *scanner) definition(token lexer.Token) error {
	if token.Kind == lexer.BraceL {
		return s.open()
	}
	if token.Kind != lexer.Name || s.defining {
		return nil
	}
	s.defining = true
	switch token.Value {
	case "fragment":
		s.inFragment = true
		return s.fragment()
	case "query", "mutation", "subscription":
		if s.operations++; s.operations > s.limits.Operations {
			return &excess{ReasonOperations, "operations", s.limits.Operations}
		}
	}
	return nil
}

func (s *scanner) fragment() error {
	if s.fragments++; s.fragments > s.limits.Fragments {
		return &excess{ReasonFragments, "fragments", s.limits.Fragments}
	}
	return nil
}

// open enters the selection set of an operation, a named fragment or a field;
// inline fragments have openInline.
func (s *scanner) open() error {
	s.numbered++
	next := set{literal: s.numbered, merged: s.numbered, depth: 1, selections: new(int)}
	switch {
	case len(s.sets) > 0:
		next.depth = s.sets[len(s.sets)-1].depth + 1
	case s.inFragment:
		next.merged = mergedFragments
	}
	s.inFragment, s.defining = false, false
	s.sets = append(s.sets, next)
	if next.depth > s.limits.Depth {
		return &excess{ReasonDepth, "nested levels", s.limits.Depth}
	}
	if s.repeat {
		s.repeat = false
		if s.repeated++; s.repeated > s.limits.RepeatedObjects {
			return &excess{ReasonRepeated, "repeated objects", s.limits.RepeatedObjects}
		}
	}
	return nil
}

func (s *scanner) openInline() {
	s.numbered++
	next := s.sets[len(s.sets)-1]
	next.literal = s.numbered
	s.sets = append(s.sets, next)
}

func (s *scanner) close() {
	s.repeat = false
	if len(s.sets) > 0 {
		s.sets = s.sets[:len(s.sets)-1]
	}
}

// selection counts one field or spread in the current set. The key is a field's
// response key, "...Name" for a spread, "" for an inline fragment.
func (s *scanner) selection(key string) error {
	current := s.sets[len(s.sets)-1]
	if *current.selections++; *current.selections > s.limits.SelectionsPerSet {
		return &excess{ReasonSelections, "selections in one set", s.limits.SelectionsPerSet}
	}
	if key == "" {
		return nil
	}
	literal, merged := keyInSet{current.literal, key}, keyInSet{current.merged, key}
	if s.keys[literal]++; s.keys[literal] > s.limits.SameKeyPerSet {
		return &excess{ReasonSameKey, "equal response keys in one set", s.limits.SameKeyPerSet}
	}
	_, s.repeat = s.merged[merged]
	s.merged[merged] = struct{}{}
	return nil
}

// field counts a field and its alias, and returns the token after its name.
func (s *scanner) field(key string) (lexer.Token, error) {
	token, err := s.next()
	if err == nil && token.Kind == lexer.Colon {
		if s.aliases++; s.aliases > s.limits.Aliases {
			return token, &excess{ReasonAliases, "aliases", s.limits.Aliases}
		}
		if token, err = s.next(); err == nil && token.Kind == lexer.Name {
			token, err = s.next()
		}
	}
	if over, isExcess := errors.AsType[*excess](err); isExcess {
		return token, over
	}
	if refused := s.selection(key); refused != nil {
		return token, refused
	}
	return token, err
}

// spread counts "...Name", "... on Type {" and "... {", and returns the token
// after it.
func (s *scanner) spread() (lexer.Token, error) {
	token, err := s.next()
	if err != nil {
		return token, err
	}
	if token.Kind == lexer.Name && token.Value != "on" {
		if err := s.selection("..." + token.Value); err != nil {
			return token, err
		}
		s.repeat = false
		return s.next()
	}
	s.repeat = false
	if err := s.selection(""); err != nil {
		return token, err
	}
	if err := s.fragment(); err != nil {
		return token, err
	}
	if token.Kind == lexer.Name {
		if token, err = s.next(); err != nil { // the type
			return token, err
		}
		if token, err = s.next(); err != nil {
			return token, err
		}
	}
	for token.Kind == lexer.At {
		if token, err = s.inlineDirective(); err != nil {
			return token, err
		}
	}
	if token.Kind != lexer.BraceL {
		return token, nil
	}
	s.openInline()
	return s.next()
}

// inlineDirective reads a directive between "..." and its set, and returns the
// token after it.
func (s *scanner) inlineDirective() (lexer.Token, error) {
	if err := s.directive(); err != nil {
		return lexer.Token{}, err
	}
	token, err := s.next()
	if err == nil && token.Kind == lexer.ParenL {
		if err = s.arguments(); err == nil {
			token, err = s.next()
		}
	}
	return token, err
}

// directive counts one and reads its name.
func (s *scanner) directive() error {
	if s.directives++; s.directives > s.limits.Directives {
		return &excess{ReasonDirectives, "directives", s.limits.Directives}
	}
	token, err := s.next()
	if err == nil && token.Value == "defer" {
		return &excess{reason: ReasonDefer}
	}
	return err
}

// arguments reads to the closing parenthesis.
func (s *scanner) arguments() error {
	values := 0
	for {
		token, err := s.next()
		if err != nil {
			return err
		}
		switch token.Kind {
		case lexer.At: // a directive on a variable
			if err := s.directive(); err != nil {
				return err
			}
		case lexer.BraceL, lexer.BracketL:
			if values++; values > s.limits.ValueDepth {
				return &excess{ReasonValueDepth, "nested values", s.limits.ValueDepth}
			}
		case lexer.BraceR, lexer.BracketR:
			values--
		case lexer.ParenL: // a directive's arguments, on a variable
			if err := s.arguments(); err != nil {
				return err
			}
		case lexer.ParenR:
			return nil
		}
	}
}
