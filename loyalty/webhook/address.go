package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"sello/loyalty"
)

// maxURL is the most bytes of an address.
const maxURL = 2000

// ErrAddressRefused: a name led to an address that is not on the public internet.
var ErrAddressRefused = errors.New("the address is not a public one")

// special are the networks that no receiver of ours is in (IANA's registries of
// special-purpose addresses): asking them would reach our own house, or nobody.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	// Of IPv6 only 2000::/3 is public at all; below are its exceptions: protocol
	// assignments with Teredo and ORCHID, documentation, 6to4, AS112.
	"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
)

var global6 = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// public reports whether an address is on the public internet. IPv4 inside IPv6
// (mapped) counts as what it is; what a translator would make of an address (NAT64,
// 6to4, Teredo) counts as not public.
func public(addr netip.Addr) bool {
	if !addr.IsValid() || addr.Zone() != "" {
		return false
	}
	addr = addr.Unmap()
	if addr.Is6() && !global6.Contains(addr) {
		return false
	}
	for _, p := range special {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}

// refusePrivate is the dialler's last word (net.Dialer.Control): it sees the very
// address that is about to be connected to, after all names were resolved, so that
// a name that changes its mind between two look-ups gains nothing.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !public(at.Addr()) {
		return ErrAddressRefused
	}
	return nil
}

// numeric hosts are addresses in one of their many spellings: 127.1, 0x7f000001,
// 017700000001, 2130706433.
var numeric = regexp.MustCompile(`(?i)^(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*\.?$`)

var hostName = regexp.MustCompile(`(?i)^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?\.?$`)

// checkURL reads the address of a receiver: https and a public host, unless
// anything is allowed. It is the first fence, for people; the one that holds is
// refusePrivate. It refuses with REQUIRED, TOO_LONG, INVALID and
// WEBHOOK_URL_REFUSED.
func checkURL(text string, allowPrivate bool) (string, error) {
	const field = "url"
	switch {
	case text == "":
		return "", loyalty.Refuse(loyalty.CodeRequired, field)
	case len(text) > maxURL:
		return "", loyalty.Refuse(loyalty.CodeTooLong, field)
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Host == "" || u.Fragment != "" || u.User != nil || strings.ContainsAny(text, "\\ \t\r\n#") {
		return "", loyalty.Refuse(loyalty.CodeInvalid, field)
	}
	host := strings.ToLower(u.Hostname())
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return "", loyalty.Refuse(loyalty.CodeInvalid, field)
		}
	}
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !allowPrivate):
		return "", loyalty.Refuse(loyalty.CodeWebhookURLRefused, field)
	case allowPrivate:
		return u.String(), nil
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if !public(addr) {
			return "", loyalty.Refuse(loyalty.CodeWebhookURLRefused, field)
		}
		return u.String(), nil
	}
	if numeric.MatchString(host) || !hostName.MatchString(host) || host == "localhost" || strings.HasSuffix(strings.TrimSuffix(host, "."), ".localhost") {
		return "", loyalty.Refuse(loyalty.CodeWebhookURLRefused, field)
	}
	return u.String(), nil
}

// reason is what the log of a delivery tells of a request that got no answer:
// never the address that a name led to, nor what is behind it.
func reason(err error) string {
	if errors.Is(err, ErrAddressRefused) {
		return ErrAddressRefused.Error()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return "the host does not exist"
		}
		return "the host could not be looked up"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return "no answer in time"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if errno, ok := errors.AsType[syscall.Errno](op); ok {
			return fmt.Sprintf("%s: %s", op.Op, errno)
		}
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err.Error()
	}
	return err.Error()
}
