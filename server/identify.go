package server

import (
	"crypto/rand"
	"net/http"
	"net/netip"
	"regexp"
	"strings"

	"golang.org/x/text/language"

	"sello/graph"
	"sello/server/request"
)

// requestIDForm is what is taken over of a caller's X-Request-ID: nothing that
// could break a log line or hide in it.
var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)

// identify gives the request its name (the caller's own if it has a decent one),
// its caller's address and its language.
func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if !requestIDForm.MatchString(id) {
			id = rand.Text()
		}
		w.Header().Set("X-Request-Id", id)
		info := &request.Info{ID: id, Address: clientAddress(r, s.cfg.TrustedProxies), Language: languageOf(r)}
		ctx := request.With(r.Context(), info)
		ctx = graph.WithRequestID(ctx, id)
		ctx = graph.WithAddress(ctx, info.Address)
		ctx = graph.WithLanguage(ctx, info.Language)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// clientAddress is the address of the peer or, behind trusted proxies, the last
// one of X-Forwarded-For that none of them has: what stands before it was written
// by the caller, who can claim anything. "" if there is none.
func clientAddress(r *http.Request, trusted []netip.Prefix) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	address := peer.Addr().Unmap().WithZone("")
	if !within(address, trusted) {
		return address.String()
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		address = hop.Unmap().WithZone("")
		if !within(address, trusted) {
			break
		}
	}
	return address.String()
}

func within(address netip.Addr, networks []netip.Prefix) bool {
	for _, n := range networks {
		if n.Contains(address) {
			return true
		}
	}
	return false
}

// The languages of refusals, the first where none of them is accepted.
var (
	languageTags = []language.Tag{language.English, language.Spanish, language.Portuguese, language.Vietnamese}
	languages    = language.NewMatcher(languageTags)
)

// languageOf is the accepted language that we speak best: en, es, pt or vi.
func languageOf(r *http.Request) string {
	accepted := r.Header.Get("Accept-Language")
	if accepted == "" || len(accepted) > 256 {
		return languageTags[0].String()
	}
	_, i := language.MatchStrings(languages, accepted)
	return languageTags[i].String()
}
