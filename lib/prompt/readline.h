/*
 * GNU readline, loaded when it is first needed: only a conversation at a terminal has a
 * use for it, which does without where it is not installed. `make READLINE=link` links it.
 *
 * The library has one state for the whole process, its variables; they are reached through
 * this table, too: *rl->rl_point.
 *
 * Only tty includes <readline/…>.
 */
#ifndef PROMPT_READLINE_H
#define PROMPT_READLINE_H

#include <stdio.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "base/err.h"

#define READLINE_FUNCTIONS(X)                                                                      \
	X(readline) X(rl_begin_undo_group) X(rl_bind_keyseq_in_map) X(rl_completion_matches)       \
	X(rl_crlf) X(rl_delete_text) X(rl_end_undo_group) X(rl_filename_completion_function)       \
	X(rl_forced_update_display) X(rl_function_of_keyseq_len) X(rl_get_keymap_by_name)          \
	X(rl_get_next_history) X(rl_get_previous_history) X(rl_get_screen_size) X(rl_initialize)   \
	X(rl_insert_text) X(rl_named_function) X(rl_newline) X(rl_on_new_line) X(rl_redisplay)     \
	X(rl_reset_screen_size) X(rl_set_keyboard_input_timeout) X(rl_set_screen_size)             \
	X(add_history) X(free_history_entry) X(history_get) X(remove_history) X(using_history)

#define READLINE_VARIABLES(X)                                                                      \
	X(history_base) X(history_length)                                                          \
	X(rl_attempted_completion_function) X(rl_attempted_completion_over) X(rl_catch_signals)    \
	X(rl_catch_sigwinch) X(rl_change_environment) X(rl_char_is_quoted_p)                       \
	X(rl_completer_quote_characters) X(rl_completer_word_break_characters)                     \
	X(rl_deprep_term_function) X(rl_display_prompt) X(rl_end)                                  \
	X(rl_filename_completion_desired) X(rl_filename_dequoting_function)                        \
	X(rl_filename_quote_characters) X(rl_filename_quoting_desired)                             \
	X(rl_filename_quoting_function) X(rl_filename_stat_hook) X(rl_getc_function)               \
	X(rl_input_available_hook) X(rl_instream) X(rl_line_buffer) X(rl_mark) X(rl_outstream)     \
	X(rl_point) X(rl_pre_input_hook) X(rl_prep_term_function) X(rl_readline_name)              \
	X(rl_readline_state) X(rl_redisplay_function) X(rl_startup_hook)

struct readline {
#define READLINE_MEMBER(name) __typeof__(name) *name;
	READLINE_FUNCTIONS(READLINE_MEMBER)
	READLINE_VARIABLES(READLINE_MEMBER)
#undef READLINE_MEMBER
};

/* Fills in the table; the library stays loaded. */
int readline_load(struct readline *rl, struct err *e);

#endif
