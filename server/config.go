package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"sello/loyalty/auth"
	"sello/server/gqlhttp"
	"sello/server/ops"
	"sello/server/request"
)

// Config is what New needs. BaseURL, Schema, Auth, River, Metrics and Health are
// required.
type Config struct {
	// BaseURL is where browsers reach the installation: https://sello.example.com.
	// With https, cookies are Secure and browsers are told to stay with it.
	BaseURL string
	Schema  graphql.ExecutableSchema
	Auth    *auth.Service
	// River backs the job console; it need not be started.
	River   *river.Client[pgx.Tx]
	Metrics *ops.Metrics
	Health  *ops.Health

	// BatchCodes writes the file of a batch of coupons, by its opaque id; without it
	// the path is not there.
	BatchCodes func(ctx context.Context, id string, w io.Writer) error

	// OpsElsewhere says that probes and figures have a listener of their own
	// (OPS_ADDR): /metrics is then not here. Otherwise it takes a credential with
	// the scope platform.
	OpsElsewhere bool
	// TrustedProxies are the networks of the proxies in front; what they say of
	// the caller's address (X-Forwarded-For) is believed, what others say is not.
	TrustedProxies []netip.Prefix
	// Origins are further origins, as scheme://host[:port], whose pages may open
	// websockets to /graphql.
	Origins []string
	// Rates replaces single rate limits.
	Rates Rates
	// GraphQL replaces single limits of the GraphQL edge.
	GraphQL gqlhttp.Limits
	// PersistedDocuments are known documents by id.
	PersistedDocuments map[string]string
	// HideSchema refuses introspection to everybody; otherwise it takes a sign-in.
	HideSchema bool
	// GraphiQL mounts the explorer.
	GraphiQL bool
	// Customers gives people's data out, as downloads; nil for none.
	Customers Exporter
	// QRImages draws customers' QR codes; nil for none.
	QRImages QRDrawer
	// Mounts are the legacy shims and whatever else signs in by itself.
	Mounts []Mount
	// Home is where "/" leads and a sign-in without a destination ends:
	// /graphiql/ where that is mounted, else /sign-in, if empty.
	Home string
	// Log is the default logger if nil. It gets one line for each request.
	Log *slog.Logger
	// Now is the clock of sessions in cookies, real time if nil.
	Now func() time.Time
	// DrainDelay is how long Run goes on as before once it is to stop, not ready
	// any more, so that load balancers notice before connections close.
	DrainDelay time.Duration
	// DrainTime bounds the end of what is under way; 20 s if zero.
	DrainTime time.Duration
}

// Mount is a handler for a path and everything below it. It sees the whole path,
// signs in by itself, sets its own limits for bodies and rates, and has
// answerTime to answer unless it sets deadlines itself.
type Mount struct {
	// Path has a leading slash and no trailing one: /wallet.
	Path    string
	Handler http.Handler
}

// Rates are requests a minute, counted in each process. Zero is the default, a
// negative number no limit.
type Rates struct {
	// Principal holds each signed-in operator or key: 36,000, more than a busy
	// chain's integration needs, little enough to stop a loop gone wild.
	Principal int
	// Address holds the network address of callers who are not signed in: 1,200.
	Address int
	// Failures holds the wrong credentials of one address: 60. Right ones of the
	// same address pass.
	Failures int
}

func (c *Config) prepare() (https bool, err error) {
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return false, errors.New("server: BaseURL is not an http or https address")
	}
	if c.Schema == nil || c.Auth == nil || c.River == nil || c.Metrics == nil || c.Health == nil {
		return false, errors.New("server: Schema, Auth, River, Metrics and Health are required")
	}
	for _, origin := range c.Origins {
		if err := http.NewCrossOriginProtection().AddTrustedOrigin(origin); err != nil {
			return false, fmt.Errorf("server: origin %q: %w", origin, err)
		}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Log = slog.New(request.LogHandler(c.Log.Handler()))
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Home == "" {
		c.Home = "/sign-in"
		if c.GraphiQL {
			c.Home = "/graphiql/"
		}
	}
	c.Rates = Rates{
		Principal: or(c.Rates.Principal, 36_000), Address: or(c.Rates.Address, 1_200), Failures: or(c.Rates.Failures, 60),
	}
	c.DrainTime = or(c.DrainTime, 20*time.Second)
	return base.Scheme == "https", nil
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
