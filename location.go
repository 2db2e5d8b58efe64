package licensing

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/graphlicensing/licensing/internal/graph"
)

// SetUsageLocation sets the country in which a user uses services. A user needs a
// usage location before a license can be assigned directly.
//
// The user is an object id or a user principal name. The country code is two
// letters of ISO 3166, such as "DE". Graph takes a while to notice the new
// location. For one minute afterwards, this client's assignments to the same user
// wait for that and do not fail.
//
// Permission: User.ReadWrite.All, delegated or application.
//
// Errors: [ErrInvalidArgument] (nothing was sent), [ErrProxyAddressConflict]
// (another object has one of the user's mail addresses, which makes this write fail
// too), [ErrNotFound], [ErrForbidden], [ErrThrottled], [ErrOutcomeUnknown] (send it
// again).
//
// Graph: https://learn.microsoft.com/graph/api/user-update
func (c *Client) SetUsageLocation(ctx context.Context, user, countryCode string) error {
	w, err := c.newLocation(ctx, user, countryCode)
	_, err = finish(ctx, w, err)
	return err
}

// newLocation returns the write that sets a usage location.
func (c *Client) newLocation(ctx context.Context, user, countryCode string) (*write, error) {
	const op = "set usage location"
	country := strings.ToUpper(countryCode)
	if len(countryCode) != 2 || !slices.Contains(strings.Fields(countries), country) {
		return nil, invalid(op, "countryCode %s, not an ISO 3166 alpha-2 code%s", graph.Is(countryCode), mistaken[country])
	}
	w, err := c.newWrite(ctx, op, graph.User(user), http.MethodPatch, "", []byte(locationBody(country)))
	if err != nil {
		return nil, err
	}
	w.locates = true
	return &w, nil
}

// mistaken are the hints for codes that people take for those of ISO 3166 alpha-2.
var mistaken = map[string]string{
	"EL":  ": Greece is GR",
	"EN":  ": the United Kingdom is GB",
	"ENG": ": the United Kingdom is GB",
	"GBR": ": the United Kingdom is GB",
	"UK":  ": the United Kingdom is GB",
	"USA": ": the United States are US",
}

func locationBody(country string) string { return `{"usageLocation":"` + country + `"}` }

// awaitLocation sends a request of the write again while it is refused, by err,
// for a usage location that this client has only just set.
func (w *write) awaitLocation(ctx context.Context, req *graph.Request, err error) error {
	// Not sold there is the other refusal of this kind, and stays so.
	unnoticed := func() bool {
		return errors.Is(err, ErrUsageLocation) && strings.Contains(strings.ToLower(w.last.Problem().Message), "invalid usage location")
	}
	service := w.client.service
	for wait := time.Second; unnoticed() && service.Policy().MaxAttempts > 1; wait = min(wait+wait/2, 5*time.Second) {
		wait = min(wait, w.client.recent.locationLeft(w.key))
		if wait <= 0 || wait >= service.Left(ctx, req) {
			return err
		}
		if err := w.pause(ctx, wait); err != nil {
			return err
		}
		err = w.send(ctx, req)
	}
	return err
}

// lookUp settles whether a usage location was set, of which there is no answer that
// says so: it reads the user. Of a read that does not show it nothing follows, since
// reads lag behind.
func (w *write) lookUp(ctx context.Context, doubt error) error {
	var user userAnswer
	read := rereading(&w.request, &user)
	read.Tries = 1
	if w.client.get(ctx, &read) == nil && string(w.request.Body) == locationBody(strings.ToUpper(user.UsageLocation)) {
		return nil
	}
	return doubt
}

// countries are the codes of ISO 3166 alpha-2, and XK for Kosovo.
const countries = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ " +
	"CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR " +
	"GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP " +
	"KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ " +
	"NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ " +
	"TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW"
