package wallet

import (
	"slices"
	"unicode/utf8"

	"github.com/govalues/decimal"
)

// parameters reads a method's parameters in the order of its table: the first
// problem is the answer, and what is read behind it does not count.
type parameters struct {
	in    form
	table answers
	// err is the answer of the first problem.
	err error
}

// fail keeps the first problem.
func (p *parameters) fail(name string, what problem) {
	if p.err == nil {
		p.err = p.table.problem(name, what)
	}
}

// text is a parameter that has to be there.
func (p *parameters) text(name string) string {
	value, what := p.in.get(name)
	if what != 0 {
		p.fail(name, what)
	}
	return value
}

// walletKey is the wallet's key.
func (p *parameters) walletKey() string { return storable(p.text("wallet_key")) }

// limited is a text of 1 to limit characters.
func (p *parameters) limited(name string, limit int) string {
	value := p.text(name)
	if utf8.RuneCountInString(value) > limit {
		p.fail(name, unusable)
	}
	return value
}

// phone is the contact's number as ten digits.
func (p *parameters) phone() string {
	value := p.text("phone")
	number, ok := nationalPhone(value)
	if !ok {
		p.fail("phone", malformed)
	}
	return number
}

// option is one of a few texts.
func (p *parameters) option(name string, options ...string) string {
	value := p.text(name)
	if !slices.Contains(options, value) {
		p.fail(name, unusable)
	}
	return value
}

// amount is a number that has to be there, without trailing zeros, so that equal
// requests are equal.
func (p *parameters) amount(name string, zeroToo bool) decimal.Decimal {
	value := p.text(name)
	d, ok := plainDecimal(value)
	switch {
	case !ok:
		p.fail(name, malformed)
	case !inRange(d, zeroToo):
		p.fail(name, unusable)
	}
	return d.Trim(0)
}

// optionalAmount is a number that may be absent or blank: nil then.
func (p *parameters) optionalAmount(name string, zeroToo bool) *decimal.Decimal {
	if _, what := p.in.get(name); what != 0 {
		return nil
	}
	return new(p.amount(name, zeroToo))
}

// staff is the collaborator's number; whether there is one the core knows.
func (p *parameters) staff() *int { return new(staffNumber(p.text("usertool_id"))) }
