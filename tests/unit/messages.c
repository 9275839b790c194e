#include "turn/messages.h"

#include <stdlib.h>

#include "tap.h"

#define ID(n) "019a0000-0000-7000-8000-00000000000" #n
#define NATIVE(item) "\"native\":{\"provider\":\"p\",\"model\":\"m\",\"items\":[" item "]}"
#define REST "\"summary\":null,\"model\":\"m\",\"status\":\"complete\",\"duration\":1,\"tokenUsage\":null"

static const char *const history[] = {
	"{\"type\":\"session\",\"version\":1,\"id\":\"s\",\"createdAt\":1,\"cwd\":\"/\",\"provider\":\"p\",\"model\":\"m\"}",
	"{\"type\":\"step\",\"exchange\":\"" ID(1) "\",\"n\":0,\"timestamp\":2,\"text\":\"I look.\",\"calls\":[{\"id\":\"c1\","
	"\"name\":\"ls\",\"arguments\":{\"dir\":\".\"}},{\"id\":\"c2\",\"name\":\"cat\",\"arguments\":{}}],\"model\":\"m\","
	"\"duration\":1,\"tokenUsage\":null," NATIVE("1,2") "}",
	"{\"type\":\"result\",\"exchange\":\"" ID(1) "\",\"n\":0,\"call\":\"c1\",\"timestamp\":3,\"status\":\"ok\",\"exitStatus\":0,"
	"\"duration\":1,\"output\":\"a b\"}",
	"{\"type\":\"step\",\"exchange\":\"" ID(1) "\",\"n\":1,\"timestamp\":4,\"text\":\"\",\"calls\":[{\"id\":\"c1\","
	"\"name\":\"rm\",\"arguments\":{}}],\"model\":\"m\",\"duration\":1,\"tokenUsage\":null}",
	"{\"type\":\"result\",\"exchange\":\"" ID(1) "\",\"n\":1,\"call\":\"c1\",\"timestamp\":5,\"status\":\"denied\",\"duration\":1,"
	"\"output\":\"no\"}",
	"{\"type\":\"exchange\",\"id\":\"" ID(1) "\",\"parent\":null,\"timestamp\":1,\"query\":\"q1\",\"answer\":\"a1\"," REST
	",\"steps\":2," NATIVE("3") "}",
	"{\"type\":\"exchange\",\"id\":\"" ID(2) "\",\"parent\":\"" ID(1) "\",\"timestamp\":6,\"query\":\"q2\",\"answer\":\"\\n\"," REST
	"," NATIVE("4") "}",
	"{\"type\":\"exchange\",\"id\":\"" ID(3) "\",\"parent\":\"" ID(2) "\",\"timestamp\":7,\"query\":\"q3\",\"answer\":\"a3\"," REST
	",\"leftOut\":1," NATIVE("5") "}",
};

static void load(struct conversation *c)
{
	size_t at = 0;
	struct err e = ERR_INIT;

	*c = (struct conversation)CONVERSATION_INIT;
	for (size_t i = 0; i < sizeof(history) / sizeof(history[0]); i++) {
		struct span line = span_str(history[i]);
		struct record r;

		if (!ok(record_parse(line, &r, &e) == 0 && conversation_apply(c, &r, line, at, &e) == 0, "line %zu", i))
			tap_note("%s", e.msg);
		record_release(&r);
		at += line.n + 1;
	}
	ok(conversation_settle(c, &e) == 0 && c->n == 3, "a conversation");
}

static void tell_part(struct buf *b, const struct message_part *p)
{
	const struct tool_result *t = &p->result;

	switch (p->kind) {
	case MESSAGE_TEXT:
		buf_addf(b, " '%.*s'", (int)p->text.n, p->text.p);
		break;
	case MESSAGE_FILE:
		buf_addf(b, " file %.*s", (int)p->file.name.n, p->file.name.p);
		break;
	case MESSAGE_CALL:
		buf_addf(b, " call %.*s %.*s %s", (int)p->call.id.n, p->call.id.p, (int)p->call.name.n, p->call.name.p,
		         json_object_to_json_string_ext(p->call.arguments, JSON_C_TO_STRING_PLAIN));
		break;
	case MESSAGE_RESULT:
		buf_addf(b, " result %.*s %.*s%s '%.*s'", (int)t->call.n, t->call.p, (int)t->name.n, t->name.p,
		         t->failed ? " failed" : "", (int)t->output.n, t->output.p);
		break;
	case MESSAGE_NATIVE:
		buf_addf(b, " native %s", json_object_to_json_string_ext(p->native, JSON_C_TO_STRING_PLAIN));
		break;
	}
}

/* A line for each message. */
static void tell(struct buf *b, const struct messages *m)
{
	static const char *const roles[] = { "user", "assistant", "tool" };

	for (size_t i = 0; i < m->n; i++) {
		buf_addf(b, "%s:", roles[m->list[i].role]);
		for (size_t k = 0; k < m->list[i].n; k++)
			tell_part(b, &m->list[i].parts[k]);
		buf_addc(b, '\n');
	}
}

static void is_told(const struct context *cx, const char *provider, const char *model, const char *want,
                    const char *what)
{
	struct messages m;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	is_int(messages_make(&m, cx, provider, span_str(model), &e), 0, "%s", what);
	tell(&b, &m);
	is_buf(&b, want, "its messages");
	messages_release(&m);
	buf_release(&b);
}

#define TOLD(n1, n2) "user: 'q1'\n" \
	"assistant:" n1 " 'I look.' call c1 ls {\"dir\":\".\"} call c2 cat {}\n" \
	"tool: result c1 ls 'a b' result c2 cat failed 'It is not known whether this ran, and with what result.'\n" \
	"assistant: '' call c1 rm {}\n" \
	"tool: result c1 rm failed 'no'\n" \
	"assistant:" n2 " 'a1'\n" \
	"user: 'q2'\nassistant: '\n'\nuser: 'q3'\nassistant: 'a3'\nuser: file f.png 'now'\n"

int main(void)
{
	const struct exchange prompt = { .query = span_str("now") };
	const struct attachment file = { span_str("f.png"), span_str("image/png"), span_str("x") };
	struct conversation c;
	struct context_ask ask = { .conversation = &c, .provider = "p", .model = span_str("m"), .prompt = &prompt };
	struct context cx;
	struct err e = ERR_INIT;

	load(&c);
	ask.n = c.n;
	ok(context_make(&cx, &ask, &e) == 0, "a context");
	cx.prompt.files = &file;
	cx.prompt.nfiles = 1;
	is_told(&cx, "p", "m", TOLD(" native [1,2]", " native [3]"), "native items go to their provider and model");
	is_told(&cx, "p", "n", TOLD("", ""), "not to another model");
	is_told(&cx, "o", "m", TOLD("", ""), "nor to another provider");
	cx.native = false;
	is_told(&cx, "p", "m", TOLD("", ""), "nor with less of the conversation");
	cx.n = 0;
	cx.running = c.path[0];
	is_told(&cx, "p", "m", "user: file f.png 'now'\n"
	        "assistant: native [1,2] 'I look.' call c1 ls {\"dir\":\".\"} call c2 cat {}\n"
	        "tool: result c1 ls 'a b' result c2 cat failed 'It is not known whether this ran, and with what result.'\n"
	        "assistant: '' call c1 rm {}\ntool: result c1 rm failed 'no'\n",
	        "but those of the running turn follow the same");
	is_told(&cx, "o", "m", "user: file f.png 'now'\n"
	        "assistant: 'I look.' call c1 ls {\"dir\":\".\"} call c2 cat {}\n"
	        "tool: result c1 ls 'a b' result c2 cat failed 'It is not known whether this ran, and with what result.'\n"
	        "assistant: '' call c1 rm {}\ntool: result c1 rm failed 'no'\n", "unless it is another provider");
	context_release(&cx);
	conversation_release(&c);
	return tap_end();
}
