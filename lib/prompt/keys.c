#include "prompt/keys.h"

#include "base/utf8.h"

#define ESC 0x1b
#define DEL 0x7f
#define CTRL_C 0x03

static bool gives(struct keys *k, struct key *key, enum key_kind kind, uint32_t c)
{
	*key = (struct key){ kind, c, k->alt && !k->paste, k->paste };
	k->alt = false;
	return true;
}

/* A byte that is no part of a sequence and no text. Of a paste only white space counts;
 * terminals send a carriage return for a line's end. */
static bool control(struct keys *k, unsigned char b, struct key *key)
{
	bool after_cr = k->paste_cr;

	k->paste_cr = k->paste && b == '\r';
	if (k->paste)
		return (b == '\t' || b == '\r' || (b == '\n' && !after_cr)) &&
		       gives(k, key, KEY_CHAR, b == '\t' ? '\t' : '\n');
	switch (b) {
	case '\r':
	case '\n': return gives(k, key, KEY_ENTER, 0);
	case '\t': return gives(k, key, KEY_TAB, 0);
	case '\b':
	case DEL: return gives(k, key, KEY_BACKSPACE, 0);
	}
	return gives(k, key, KEY_CTRL, b >= 1 && b <= 26 ? b + 'a' - 1u : b + '@' + 0u);
}

/* Text: a character when it is complete. What is none is passed over. */
static bool text(struct keys *k, unsigned char b, struct key *key)
{
	uint32_t c = 0;
	int len;

	k->paste_cr = false;
	k->held[k->nheld++] = (char)b;
	len = utf8_decode(k->held, k->nheld, &c);
	if (len < 0 && k->nheld > 1) { /* the byte may begin another one */
		k->nheld = 0;
		k->alt = false;
		return text(k, b, key);
	}
	if (len == 0)
		return false;
	k->nheld = 0;
	if (len < 0 || (c >= 0x80 && c < 0xa0)) {
		k->alt = false;
		return false;
	}
	return gives(k, key, KEY_CHAR, c);
}

static bool ground(struct keys *k, unsigned char b, struct key *key)
{
	k->state = KEYS_GROUND;
	if (b >= 0x80)
		return text(k, b, key);
	if (k->nheld) {
		k->nheld = 0;
		k->alt = false;
	}
	if (b == ESC) {
		k->state = KEYS_ESC;
		k->alt = k->paste_cr = false;
		return false;
	}
	return b < 0x20 || b == DEL ? control(k, b, key) : text(k, b, key);
}

static bool after_escape(struct keys *k, unsigned char b, struct key *key)
{
	switch (b) {
	case ESC: /* some terminals send Alt as another Escape before the sequence */
		k->alt = true;
		return false;
	case '[':
		k->state = KEYS_CSI;
		k->params[0] = k->params[1] = k->nparams = 0;
		k->odd = false;
		return false;
	case 'O': k->state = KEYS_SS3; return false;
	case ']': case 'P': case 'X': case '^': case '_': k->state = KEYS_STRING; return false;
	}
	k->alt = true;
	return ground(k, b, key);
}

static bool by_letter(struct keys *k, unsigned char final, struct key *key)
{
	static const struct {
		char letter;
		enum key_kind kind;
	} keys[] = {
		{ 'A', KEY_UP },   { 'B', KEY_DOWN }, { 'C', KEY_RIGHT },
		{ 'D', KEY_LEFT }, { 'H', KEY_HOME }, { 'F', KEY_END },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].letter == final)
			return gives(k, key, keys[i].kind, 0);
	return false;
}

/* Sequences that end in a tilde are told apart by their number. */
static bool by_number(struct keys *k, struct key *key)
{
	switch (k->params[0]) {
	case 1:
	case 7: return gives(k, key, KEY_HOME, 0);
	case 3: return gives(k, key, KEY_DELETE, 0);
	case 4:
	case 8: return gives(k, key, KEY_END, 0);
	case 5: return gives(k, key, KEY_PAGE_UP, 0);
	case 6: return gives(k, key, KEY_PAGE_DOWN, 0);
	case 200: k->paste = true; return false;
	}
	return false;
}

static bool end_of_csi(struct keys *k, unsigned char final, struct key *key)
{
	bool alt = k->alt;

	k->state = KEYS_GROUND;
	k->alt = false;
	if (k->odd)
		return false;
	if (k->paste) {
		k->paste = !(final == '~' && k->params[0] == 201);
		return false;
	}
	/* The second number is one more than a set of bits: 1 Shift, 2 Alt, 4 Ctrl. */
	k->alt = alt || (k->params[1] && (k->params[1] - 1) & 2);
	if (final == '~' ? by_number(k, key) : by_letter(k, final, key))
		return true;
	k->alt = false;
	return false;
}

static bool in_csi(struct keys *k, unsigned char b, struct key *key)
{
	if (b >= '0' && b <= '9') {
		unsigned *p = &k->params[k->nparams < 2 ? k->nparams : 1];

		k->odd |= k->nparams > 1;
		*p = *p < 10000 ? *p * 10 + (b - '0') : *p;
	} else if (b == ';') {
		k->nparams++;
	} else if (b == '[' && !k->odd && !k->nparams && !k->params[0]) {
		k->state = KEYS_CSI_LINUX;
	} else if (b >= 0x20 && b < 0x40) {
		k->odd = true;
	} else if (b >= 0x40 && b < DEL) {
		return end_of_csi(k, b, key);
	} else { /* a control, or text: the sequence broke off */
		k->alt = false;
		return ground(k, b, key);
	}
	return false;
}

static bool in_ss3(struct keys *k, unsigned char b, struct key *key)
{
	if (b < 0x20 || b >= DEL) {
		k->alt = false;
		return ground(k, b, key);
	}
	if ((b >= '0' && b <= '9') || b == ';')
		return false;
	k->state = KEYS_GROUND;
	if (!k->paste && (b == 'M' ? gives(k, key, KEY_ENTER, 0) : by_letter(k, b, key)))
		return true;
	k->alt = false;
	return false;
}

bool keys_feed(struct keys *k, unsigned char b, struct key *key)
{
	if (b == CTRL_C) {
		*k = (struct keys)KEYS_INIT;
		return gives(k, key, KEY_CTRL, 'c');
	}
	switch (k->state) {
	case KEYS_ESC: return after_escape(k, b, key);
	case KEYS_CSI: return in_csi(k, b, key);
	case KEYS_SS3: return in_ss3(k, b, key);
	case KEYS_CSI_LINUX:
		k->state = KEYS_GROUND;
		k->alt = false;
		return false;
	case KEYS_STRING:
		k->state = b == ESC ? KEYS_STRING_ESC : b == '\a' ? KEYS_GROUND : KEYS_STRING;
		k->alt &= k->state != KEYS_GROUND;
		return false;
	case KEYS_STRING_ESC:
		k->alt = false;
		if (b != '\\')
			return after_escape(k, b, key);
		k->state = KEYS_GROUND;
		return false;
	case KEYS_GROUND: break;
	}
	return ground(k, b, key);
}

bool keys_waiting(const struct keys *k)
{
	return k->state != KEYS_GROUND || k->nheld;
}

bool keys_alone(struct keys *k, struct key *key)
{
	bool escape = k->state == KEYS_ESC && !k->paste;

	k->state = KEYS_GROUND;
	k->nheld = 0;
	k->alt = false;
	return escape && gives(k, key, KEY_ESC, 0);
}
