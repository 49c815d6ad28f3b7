package loyalty

import (
	"errors"
	"slices"
	"strings"
)

// Refusals are all that is wrong with one request, in the order of its fields. As an
// error they are the first of them ([CodeOf], errors.AsType), and [All] tells the rest.
type Refusals []*Error

// Add refuses a field, unless it is refused already: each is told one mistake.
func (r *Refusals) Add(code Code, field string) {
	if !slices.ContainsFunc(*r, func(e *Error) bool { return e.Field == field }) {
		*r = append(*r, Refuse(code, field))
	}
}

// AddError takes a refusal in; anything else is answered.
func (r *Refusals) AddError(err error) error {
	for _, e := range All(err) {
		r.Add(e.Code, e.Field)
	}
	if err != nil && CodeOf(err) == "" {
		return err
	}
	return nil
}

// Err is the refusals as an error: nil without any, and a single one as itself.
func (r Refusals) Err() error {
	switch len(r) {
	case 0:
		return nil
	case 1:
		return r[0]
	}
	return r
}

// Error names codes and fields, for logs and tests.
func (r Refusals) Error() string {
	texts := make([]string, len(r))
	for i, e := range r {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap makes errors.Is and errors.As look at each of them.
func (r Refusals) Unwrap() []error {
	all := make([]error, len(r))
	for i, e := range r {
		all[i] = e
	}
	return all
}

// All are the refusals that an error stands for; none for faults and nil.
func All(err error) []*Error {
	if many, ok := errors.AsType[Refusals](err); ok {
		return many
	}
	if one, ok := errors.AsType[*Error](err); ok {
		return []*Error{one}
	}
	return nil
}
