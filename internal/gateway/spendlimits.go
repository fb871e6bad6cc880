package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// Bounds of spend limits.
const (
	MaxSpendRules  = 20                          // in a gateway
	MaxSpendLimit  = 100_000_000 * 1_000_000_000 // nano-USD
	maxSpendWindow = 3_153_600_000               // seconds, as rate_limiting_interval
	maxSpendValues = 1000                        // of one filter
	maxSpendKeys   = 10                          // of one rule's metadata
	maxSpendText   = 600                         // bytes of a value or a key
	spendField     = "spend_limits"              //
	spendShape     = `for example {"enabled":true,"rules":[{"limitType":"cost","limit":10,"window":86400,"technique":"fixed"}]}`
)

// SpendRule is a rule of spend_limits as it was written: one that is turned off is not in force.
type SpendRule struct {
	sluice.SpendRule
	Enabled bool // the rule, and spend limits as such
}

// ParseSpendLimits reads the setting spend_limits (cloudflare-ai-gateway.md, 4.2), strictly: a member that means
// nothing here is a fault, because a budget whose filter was not understood is another budget. null and nothing
// have no rules. Its error is Faults.
func ParseSpendLimits(raw json.RawMessage) ([]SpendRule, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	r := spendReader{}
	top := r.members(spendField, raw, "enabled", "rules")
	enabled := r.boolean(spendField+".enabled", top["enabled"], true)
	var list []json.RawMessage
	if given := top["rules"]; present(given) {
		if json.Unmarshal(given, &list) != nil || given[0] != '[' {
			r.fault(spendField+".rules", "must be a list of rules", spendShape)
		}
	}
	if len(list) > MaxSpendRules {
		r.fault(spendField+".rules", fmt.Sprintf("has %d rules; %d are the most", len(list), MaxSpendRules), "")
		list = nil
	}
	rules := make([]SpendRule, len(list))
	for i := range list {
		rules[i] = r.rule(fmt.Sprintf("%s.rules[%d]", spendField, i), list[i])
		rules[i].Enabled = rules[i].Enabled && enabled
	}
	r.name(rules)
	if len(r.faults) > 0 {
		return nil, r.faults
	}
	return rules, nil
}

// Check finds what is wrong with the gateways of a configuration beyond what config.Load checks. Its error is
// *config.Errors. A configuration that fails must not be taken: a rule that cannot be read bounds nothing.
func Check(l *config.Loaded) error {
	var list []config.Problem
	for _, account := range slices.Sorted(maps.Keys(l.Config.Accounts)) {
		gateways := l.Config.Accounts[account].Gateways
		for _, id := range slices.Sorted(maps.Keys(gateways)) {
			_, err := ParseSpendLimits(json.RawMessage(gateways[id].SpendLimits))
			faults, ok := errors.AsType[Faults](err)
			if !ok {
				continue
			}
			at := "accounts." + account + ".gateways." + id + "."
			where := ""
			if o := l.Origins[at+spendField]; o.Kind != config.FromDefault {
				where = o.String()
			}
			for _, f := range faults {
				list = append(list, config.Problem{Path: at + f.Field, Where: where, Msg: f.Msg, Fix: f.Hint})
			}
		}
	}
	if len(list) > 0 {
		return &config.Errors{List: list}
	}
	return nil
}

// spendInForce are the rules that hold.
func spendInForce(raw json.RawMessage) []sluice.SpendRule {
	rules, err := ParseSpendLimits(raw)
	if err != nil {
		return nil // stored before it was read; addRecord says so
	}
	var on []sluice.SpendRule
	for i := range rules {
		if rules[i].Enabled {
			on = append(on, rules[i].SpendRule)
		}
	}
	return on
}

// spendReader reads spend limits and gathers what is wrong with them.
type spendReader struct{ faults Faults }

func (r *spendReader) fault(field, msg, hint string) {
	r.faults = append(r.faults, fault(field, field+" "+msg, hint))
}

func present(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// members reads an object of which only some names are known.
func (r *spendReader) members(field string, raw json.RawMessage, names ...string) map[string]json.RawMessage {
	m, err := object(raw)
	if err != nil {
		r.fault(field, "is not right: "+err.Error(), spendShape)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(names, name) {
			r.fault(field+"."+printable(name), "is not known here", "the names are "+strings.Join(names, ", "))
		}
	}
	return m
}

func (r *spendReader) rule(field string, raw json.RawMessage) SpendRule {
	m := r.members(field, raw,
		"id", "limitType", "limit", "window", "technique", "enabled", "provider", "model", "metadata", "action", "hard", "unpriced")
	if m == nil {
		return SpendRule{}
	}
	rule := SpendRule{Enabled: r.boolean(field+".enabled", m["enabled"], true)}
	if present(m["id"]) {
		if json.Unmarshal(m["id"], &rule.ID) != nil || !spendID.MatchString(rule.ID) {
			r.fault(field+".id", "must be 1 to 64 characters of a-z, A-Z, 0-9, -, _, . and :", "")
		}
	}
	r.word(field+".limitType", m["limitType"], "cost")
	rule.Limit = r.money(field+".limit", m["limit"])
	rule.Per = r.window(field+".window", m["window"])
	rule.Sliding = r.word(field+".technique", m["technique"], "fixed", "sliding") == "sliding"
	rule.Providers = r.filter(field+".provider", m["provider"])
	rule.Models = r.filter(field+".model", m["model"])
	rule.Metadata = r.metadata(field+".metadata", m["metadata"])
	rule.Alert = r.word(field+".action", m["action"], "block", "alert") == "alert"
	rule.Hard = r.boolean(field+".hard", m["hard"], false)
	rule.Unpriced = sluice.Unpriced(r.word(field+".unpriced", m["unpriced"],
		string(sluice.UnpricedAllow), string(sluice.UnpricedFlag), string(sluice.UnpricedBlock)))
	return rule
}

// spendID is the form of a rule's id: it stands in error texts. Compiled once; nothing changes it.
var spendID = regexp.MustCompile(`^[a-zA-Z0-9_.:-]{1,64}$`)

func (r *spendReader) boolean(field string, raw json.RawMessage, otherwise bool) bool {
	v := otherwise
	if present(raw) && json.Unmarshal(raw, &v) != nil {
		r.fault(field, "must be true or false", "")
	}
	return v
}

// word reads one of some words; the first is meant where nothing is said.
func (r *spendReader) word(field string, raw json.RawMessage, words ...string) string {
	word := words[0]
	if present(raw) && (json.Unmarshal(raw, &word) != nil || !slices.Contains(words, word)) {
		r.fault(field, "must be one of "+strings.Join(words, ", "), "")
	}
	return word
}

// money reads US dollars, exactly.
func (r *spendReader) money(field string, raw json.RawMessage) sluice.NanoUSD {
	text, ok := jsonscan.Of(raw).Decimal(9)
	n, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || n <= 0 || n > MaxSpendLimit {
		r.fault(field, "must be a number of US dollars above 0, at most 100000000, with at most nine decimals", "")
		return 0
	}
	return sluice.NanoUSD(n)
}

func (r *spendReader) window(field string, raw json.RawMessage) time.Duration {
	n, ok := int64(0), false
	if present(raw) {
		n, ok = wholeNumber(raw)
	}
	if !ok || n < 1 || n > maxSpendWindow {
		r.fault(field, fmt.Sprintf("must be a whole number of seconds from 1 to %d", maxSpendWindow), "a day has 86400")
		return 0
	}
	return time.Duration(n) * time.Second
}

// filter reads {"mode":"filter","values":[…]}; nil: it lets all through.
func (r *spendReader) filter(field string, raw json.RawMessage) []string {
	if !present(raw) {
		return nil
	}
	m := r.members(field, raw, "mode", "values")
	if m == nil {
		return nil
	}
	if mode := r.mode(field, m["mode"], "filter"); mode == "" {
		return nil
	}
	return r.values(field+".values", m["values"])
}

// mode reads the mode that a scope must have; "": it has none.
func (r *spendReader) mode(field string, raw json.RawMessage, modes ...string) string {
	if !present(raw) {
		r.fault(field+".mode", "is missing", "it is "+strings.Join(modes, " or "))
		return ""
	}
	before := len(r.faults)
	mode := r.word(field+".mode", raw, modes...)
	if len(r.faults) > before {
		return ""
	}
	return mode
}

// values reads a filter's values as texts: metadata may be numbers and truth values, too.
func (r *spendReader) values(field string, raw json.RawMessage) []string {
	const wanted = "must be a list of 1 to 1000 texts, numbers or truth values, none of them empty or longer than 600 bytes"
	var list []json.RawMessage
	if !present(raw) || json.Unmarshal(raw, &list) != nil || len(list) == 0 || len(list) > maxSpendValues {
		r.fault(field, wanted, "")
		return nil
	}
	values := make([]string, 0, len(list))
	for _, one := range list {
		text := string(one)
		switch jsonscan.KindOf(one[0]) {
		case jsonscan.String:
			text = jsonscan.Of(one).String()
		case jsonscan.Number, jsonscan.Bool:
		default:
			text = ""
		}
		if text == "" || len(text) > maxSpendText {
			r.fault(field, wanted, "")
			return nil
		}
		values = append(values, text)
	}
	return values
}

// metadata reads {key: {"mode":"partition"} | {"mode":"filter","values":[…]}}.
func (r *spendReader) metadata(field string, raw json.RawMessage) []sluice.SpendKey {
	if !present(raw) {
		return nil
	}
	m, err := object(raw)
	if err != nil || len(m) > maxSpendKeys {
		r.fault(field, fmt.Sprintf("must be an object with at most %d keys", maxSpendKeys), `for example {"user":{"mode":"partition"}}`)
		return nil
	}
	var keys []sluice.SpendKey
	for _, key := range slices.Sorted(maps.Keys(m)) {
		at := field + "." + printable(key)
		if key == "" || len(key) > maxSpendText || !utf8.ValidString(key) || strings.HasPrefix(key, "cf.") {
			r.fault(at, "is no name that metadata can have", "")
			continue
		}
		scope := r.members(at, m[key], "mode", "values")
		if scope == nil {
			continue
		}
		k := sluice.SpendKey{Key: key}
		switch r.mode(at, scope["mode"], "partition", "filter") {
		case "filter":
			k.Values = r.values(at+".values", scope["values"])
		case "partition":
			if present(scope["values"]) {
				r.fault(at+".values", "has no meaning where each value has a budget of its own", "the mode filter takes values")
			}
		}
		keys = append(keys, k)
	}
	return keys
}

// name gives each rule without an id one that stays the same while the rule is of the same calls and windows, and
// refuses ids that are there twice: both would count in the same place.
func (r *spendReader) name(rules []SpendRule) {
	taken := map[string]bool{}
	for i := range rules {
		if id := rules[i].ID; id != "" {
			if taken[id] {
				r.fault(fmt.Sprintf("%s.rules[%d].id", spendField, i), "is that of another rule: "+id, "")
			}
			taken[id] = true
		}
	}
	for i := range rules {
		rule := &rules[i]
		if rule.ID != "" {
			continue
		}
		h := fnv.New32a()
		_, _ = fmt.Fprintf(h, "%d %v %q %q %q", rule.Per, rule.Sliding, rule.Providers, rule.Models, rule.Metadata) // never fails
		id := fmt.Sprintf("rule-%08x", h.Sum32())
		for n := 2; taken[id]; n++ {
			id = fmt.Sprintf("rule-%08x-%d", h.Sum32(), n)
		}
		rule.ID = id
		taken[id] = true
	}
}
