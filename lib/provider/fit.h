/*
 * What individual models do not accept, in one table. A parameter that a model refuses is
 * dropped, and a value of reasoning_effort that the model does not know is replaced by the nearest
 * one. Models that are not in the table are sent everything unchanged.
 */
#ifndef PROVIDER_FIT_H
#define PROVIDER_FIT_H

#include "provider/param.h"

/* Adds a sentence for each change to `notices`, as a line. `reasoning`: it is asked for. */
int fit_params(struct params *p, const char *provider, const char *model, bool reasoning,
               struct buf *notices, struct err *e);

/* Whether the model can be asked for its reasoning, as far as is known. */
bool fit_reasons(const char *provider, const char *model);
/* Whether the model has a system instruction. */
bool fit_has_system(const char *provider, const char *model);

/* A model's name without the maker's name that gateways put before it, and the mark of a
 * fine-tuned one. */
struct span fit_plain_name(struct span model);
/* The name of a Claude as Anthropic writes it: claude-opus-4-5 for anthropic/claude-opus-4.5,
 * claude-3-haiku-20240307-v1 for anthropic.claude-3-haiku-20240307-v1:0. Another name as it is. */
#define FIT_NAME 96
struct span fit_claude_name(struct span model, char room[FIT_NAME]);

#endif
