package translate

import "strings"

// claude is what a model of Anthropic's takes (https://docs.anthropic.com/en/docs/about-claude/models, read 2026-11).
type claude struct {
	known     bool
	family    string
	version   int  // 45 of Claude 4.5
	noSample  bool // it refuses temperature, top_p, top_k
	oneSample bool // it takes temperature or top_p, not both
	noForce   bool // it refuses a tool_choice that forces
	adaptive  bool // effort in place of a budget
	noOff     bool // thinking cannot be switched off
	schema    bool // it takes a schema for its answer
	midSystem bool // it takes system messages in the middle
	maxOutput int64
}

// claudeOf reads a model's name: claude-sonnet-4-5-20250929, us.anthropic.claude-opus-4-8-v1:0, claude-3-5-haiku@….
func claudeOf(model string) claude {
	c := claude{maxOutput: 4096}
	_, rest, ok := strings.Cut(strings.ToLower(model), "claude")
	if !ok {
		return c
	}
	var numbers []int
	for _, word := range strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune("-._@:/", r) }) {
		switch word {
		case "opus", "sonnet", "haiku", "fable":
			c.family = word
			continue
		}
		n, digits := 0, len(word) > 0 && len(word) <= 2
		for _, r := range word {
			digits = digits && r >= '0' && r <= '9'
			n = n*10 + int(r-'0')
		}
		if digits && len(numbers) < 2 {
			numbers = append(numbers, n)
		}
		if !digits && len(numbers) > 0 {
			break
		}
	}
	if c.family == "" || len(numbers) == 0 {
		return c
	}
	c.known = true
	c.version = numbers[0] * 10
	if len(numbers) > 1 {
		c.version += numbers[1]
	}
	c.abilities()
	return c
}

// abilities fills in what a version of a family can do.
func (c *claude) abilities() {
	v := c.version
	from := func(opus, sonnet, haiku, fable int) bool {
		return v >= map[string]int{"opus": opus, "sonnet": sonnet, "haiku": haiku, "fable": fable}[c.family]
	}
	c.noSample = from(47, 50, 55, 0)
	c.oneSample = v >= 45 && v < 46
	c.noForce = from(55, 55, 999, 51)
	c.adaptive = from(46, 46, 55, 0)
	c.noOff = from(55, 55, 999, 50)
	c.schema = from(41, 45, 45, 0)
	c.midSystem = from(48, 50, 999, 50)
	switch {
	case v >= 46 || c.family == "fable":
		c.maxOutput = 128_000
	case v >= 45, c.family == "sonnet" && v >= 37:
		c.maxOutput = 64_000
	case v >= 40:
		c.maxOutput = 32_000
	case v >= 35:
		c.maxOutput = 8192
	}
}

// effort is a budget or a word of effort for reasoning.
func (c *claude) effort(effort string) string {
	switch effort {
	case "minimal", "none":
		return "low"
	case "xhigh":
		if c.version < 47 && c.family != "fable" {
			return "high"
		}
	}
	return effort
}

// claudeBudget is how many tokens of reasoning an effort stands for at models that take a budget.
func claudeBudget(effort string) int64 {
	return map[string]int64{"minimal": 1024, "low": 1024, "medium": 4096, "high": 16_384, "xhigh": 32_768, "max": 32_768}[effort]
}

// gemini is what a model of Google's takes (https://ai.google.dev/gemini-api/docs/models, read 2026-11).
type gemini struct {
	version  int // 25 of Gemini 2.5; 0: not known
	pro      bool
	lite     bool
	noSystem bool // Gemma and models of pictures take no system instruction
}

func geminiOf(model string) gemini {
	m := strings.ToLower(model)
	g := gemini{pro: strings.Contains(m, "pro"), lite: strings.Contains(m, "lite")}
	g.noSystem = strings.Contains(m, "gemma") || strings.Contains(m, "-image")
	_, rest, ok := strings.Cut(m, "gemini-")
	if !ok {
		return g
	}
	word, _, _ := strings.Cut(rest, "-")
	major, minor, _ := strings.Cut(word, ".")
	if len(major) == 1 && major[0] >= '0' && major[0] <= '9' {
		g.version = int(major[0]-'0') * 10
		if len(minor) == 1 && minor[0] >= '0' && minor[0] <= '9' {
			g.version += int(minor[0] - '0')
		}
	}
	return g
}

// thinks reports whether the model reasons at all.
func (g *gemini) thinks() bool { return g.version == 0 || g.version >= 25 }

// levels reports whether the model takes a level in place of a budget.
func (g *gemini) levels() bool { return g.version >= 30 }

// level is an effort as a level of thinking.
func (g *gemini) level(effort string) string {
	switch effort {
	case "none", "minimal":
		if g.pro {
			return "LOW"
		}
		return "MINIMAL"
	case "low":
		return "LOW"
	case "medium":
		if g.pro && g.version == 30 {
			return "HIGH" // it knows two levels
		}
		return "MEDIUM"
	}
	return "HIGH"
}

// budget is an effort in tokens of thinking.
func (g *gemini) budget(effort string) int64 {
	switch effort {
	case "none":
		if g.pro {
			return 128
		}
		return 0
	case "minimal":
		if g.lite {
			return 512
		}
		return 1024
	case "low":
		return 1024
	case "medium":
		return 8192
	case "xhigh", "max":
		if g.pro {
			return 32_768
		}
	}
	return 24_576
}
