// Written by scripts/embed-web.py.
#include "CAssets.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char conversation_ansi_js[] = {
#embed "../../assets/web/conversation/ansi.js"
};

static const unsigned char conversation_clipboard_js[] = {
#embed "../../assets/web/conversation/clipboard.js"
};

static const unsigned char conversation_code_view_js[] = {
#embed "../../assets/web/conversation/code-view.js"
};

static const unsigned char conversation_conversation_js[] = {
#embed "../../assets/web/conversation/conversation.js"
};

static const unsigned char conversation_diff_view_js[] = {
#embed "../../assets/web/conversation/diff-view.js"
};

static const unsigned char conversation_diff_js[] = {
#embed "../../assets/web/conversation/diff.js"
};

static const unsigned char conversation_document_js[] = {
#embed "../../assets/web/conversation/document.js"
};

static const unsigned char conversation_error_card_js[] = {
#embed "../../assets/web/conversation/error-card.js"
};

static const unsigned char conversation_find_js[] = {
#embed "../../assets/web/conversation/find.js"
};

static const unsigned char conversation_highlight_js[] = {
#embed "../../assets/web/conversation/highlight.js"
};

static const unsigned char conversation_inline_js[] = {
#embed "../../assets/web/conversation/inline.js"
};

static const unsigned char conversation_list_js[] = {
#embed "../../assets/web/conversation/list.js"
};

static const unsigned char conversation_markdown_view_js[] = {
#embed "../../assets/web/conversation/markdown-view.js"
};

static const unsigned char conversation_markdown_js[] = {
#embed "../../assets/web/conversation/markdown.js"
};

static const unsigned char conversation_output_view_js[] = {
#embed "../../assets/web/conversation/output-view.js"
};

static const unsigned char conversation_rows_js[] = {
#embed "../../assets/web/conversation/rows.js"
};

static const unsigned char conversation_text_js[] = {
#embed "../../assets/web/conversation/text.js"
};

static const unsigned char conversation_tool_card_js[] = {
#embed "../../assets/web/conversation/tool-card.js"
};

static const unsigned char conversation_transcript_js[] = {
#embed "../../assets/web/conversation/transcript.js"
};

static const unsigned char core_connection_js[] = {
#embed "../../assets/web/core/connection.js"
};

static const unsigned char core_dom_js[] = {
#embed "../../assets/web/core/dom.js"
};

static const unsigned char core_format_js[] = {
#embed "../../assets/web/core/format.js"
};

static const unsigned char core_i18n_js[] = {
#embed "../../assets/web/core/i18n.js"
};

static const unsigned char core_keys_js[] = {
#embed "../../assets/web/core/keys.js"
};

static const unsigned char core_main_js[] = {
#embed "../../assets/web/core/main.js"
};

static const unsigned char core_preferences_js[] = {
#embed "../../assets/web/core/preferences.js"
};

static const unsigned char core_records_js[] = {
#embed "../../assets/web/core/records.js"
};

static const unsigned char core_route_js[] = {
#embed "../../assets/web/core/route.js"
};

static const unsigned char core_signal_js[] = {
#embed "../../assets/web/core/signal.js"
};

static const unsigned char core_store_js[] = {
#embed "../../assets/web/core/store.js"
};

static const unsigned char core_text_js[] = {
#embed "../../assets/web/core/text.js"
};

static const unsigned char core_theme_js[] = {
#embed "../../assets/web/core/theme.js"
};

static const unsigned char core_transcripts_js[] = {
#embed "../../assets/web/core/transcripts.js"
};

static const unsigned char css_client_css[] = {
#embed "../../assets/web/css/tokens.css"
,
#embed "../../assets/web/css/shell.css"
,
#embed "../../assets/web/css/sidebar.css"
,
#embed "../../assets/web/css/pages.css"
,
#embed "../../assets/web/css/conversation.css"
,
#embed "../../assets/web/css/interaction.css"
,
#embed "../../assets/web/css/views.css"
};

static const unsigned char icon_svg[] = {
#embed "../../assets/web/icon.svg"
};

static const unsigned char index_html[] = {
#embed "../../assets/web/index.html"
};

static const unsigned char interaction_arguments_js[] = {
#embed "../../assets/web/interaction/arguments.js"
};

static const unsigned char interaction_attachments_js[] = {
#embed "../../assets/web/interaction/attachments.js"
};

static const unsigned char interaction_choices_js[] = {
#embed "../../assets/web/interaction/choices.js"
};

static const unsigned char interaction_clock_js[] = {
#embed "../../assets/web/interaction/clock.js"
};

static const unsigned char interaction_commands_js[] = {
#embed "../../assets/web/interaction/commands.js"
};

static const unsigned char interaction_completion_js[] = {
#embed "../../assets/web/interaction/completion.js"
};

static const unsigned char interaction_composer_js[] = {
#embed "../../assets/web/interaction/composer.js"
};

static const unsigned char interaction_compositions_js[] = {
#embed "../../assets/web/interaction/compositions.js"
};

static const unsigned char interaction_dialogs_js[] = {
#embed "../../assets/web/interaction/dialogs.js"
};

static const unsigned char interaction_header_js[] = {
#embed "../../assets/web/interaction/header.js"
};

static const unsigned char interaction_history_js[] = {
#embed "../../assets/web/interaction/history.js"
};

static const unsigned char interaction_operations_js[] = {
#embed "../../assets/web/interaction/operations.js"
};

static const unsigned char interaction_outbox_js[] = {
#embed "../../assets/web/interaction/outbox.js"
};

static const unsigned char interaction_permission_js[] = {
#embed "../../assets/web/interaction/permission.js"
};

static const unsigned char interaction_question_js[] = {
#embed "../../assets/web/interaction/question.js"
};

static const unsigned char interaction_queue_js[] = {
#embed "../../assets/web/interaction/queue.js"
};

static const unsigned char interaction_rendering_js[] = {
#embed "../../assets/web/interaction/rendering.js"
};

static const unsigned char interaction_requests_js[] = {
#embed "../../assets/web/interaction/requests.js"
};

static const unsigned char shell_access_js[] = {
#embed "../../assets/web/shell/access.js"
};

static const unsigned char shell_actions_js[] = {
#embed "../../assets/web/shell/actions.js"
};

static const unsigned char shell_banner_js[] = {
#embed "../../assets/web/shell/banner.js"
};

static const unsigned char shell_help_js[] = {
#embed "../../assets/web/shell/help.js"
};

static const unsigned char shell_home_js[] = {
#embed "../../assets/web/shell/home.js"
};

static const unsigned char shell_import_js[] = {
#embed "../../assets/web/shell/import.js"
};

static const unsigned char shell_new_session_js[] = {
#embed "../../assets/web/shell/new-session.js"
};

static const unsigned char shell_notifications_js[] = {
#embed "../../assets/web/shell/notifications.js"
};

static const unsigned char shell_palette_js[] = {
#embed "../../assets/web/shell/palette.js"
};

static const unsigned char shell_provider_picker_js[] = {
#embed "../../assets/web/shell/provider-picker.js"
};

static const unsigned char shell_session_list_js[] = {
#embed "../../assets/web/shell/session-list.js"
};

static const unsigned char shell_session_query_js[] = {
#embed "../../assets/web/shell/session-query.js"
};

static const unsigned char shell_session_row_js[] = {
#embed "../../assets/web/shell/session-row.js"
};

static const unsigned char shell_session_state_js[] = {
#embed "../../assets/web/shell/session-state.js"
};

static const unsigned char shell_shell_js[] = {
#embed "../../assets/web/shell/shell.js"
};

static const unsigned char shell_sidebar_js[] = {
#embed "../../assets/web/shell/sidebar.js"
};

static const unsigned char shell_unread_js[] = {
#embed "../../assets/web/shell/unread.js"
};

static const unsigned char strings_conversation_js[] = {
#embed "../../assets/web/strings/conversation.js"
};

static const unsigned char strings_interaction_js[] = {
#embed "../../assets/web/strings/interaction.js"
};

static const unsigned char strings_shell_js[] = {
#embed "../../assets/web/strings/shell.js"
};

static const unsigned char strings_views_js[] = {
#embed "../../assets/web/strings/views.js"
};

static const unsigned char ui_button_js[] = {
#embed "../../assets/web/ui/button.js"
};

static const unsigned char ui_dialog_js[] = {
#embed "../../assets/web/ui/dialog.js"
};

static const unsigned char ui_icons_js[] = {
#embed "../../assets/web/ui/icons.js"
};

static const unsigned char ui_menu_js[] = {
#embed "../../assets/web/ui/menu.js"
};

static const unsigned char ui_toast_js[] = {
#embed "../../assets/web/ui/toast.js"
};

static const unsigned char ui_tooltip_js[] = {
#embed "../../assets/web/ui/tooltip.js"
};

static const unsigned char views_browser_settings_js[] = {
#embed "../../assets/web/views/browser-settings.js"
};

static const unsigned char views_chart_js[] = {
#embed "../../assets/web/views/chart.js"
};

static const unsigned char views_provider_card_js[] = {
#embed "../../assets/web/views/provider-card.js"
};

static const unsigned char views_providers_js[] = {
#embed "../../assets/web/views/providers.js"
};

static const unsigned char views_setting_field_js[] = {
#embed "../../assets/web/views/setting-field.js"
};

static const unsigned char views_setting_texts_js[] = {
#embed "../../assets/web/views/setting-texts.js"
};

static const unsigned char views_settings_ru_js[] = {
#embed "../../assets/web/views/settings-ru.js"
};

static const unsigned char views_settings_js[] = {
#embed "../../assets/web/views/settings.js"
};

static const unsigned char views_usage_js[] = {
#embed "../../assets/web/views/usage.js"
};

static const struct cassets_file cassets_files[] = {
    {"conversation/ansi.js", conversation_ansi_js, sizeof conversation_ansi_js},
    {"conversation/clipboard.js", conversation_clipboard_js, sizeof conversation_clipboard_js},
    {"conversation/code-view.js", conversation_code_view_js, sizeof conversation_code_view_js},
    {"conversation/conversation.js", conversation_conversation_js, sizeof conversation_conversation_js},
    {"conversation/diff-view.js", conversation_diff_view_js, sizeof conversation_diff_view_js},
    {"conversation/diff.js", conversation_diff_js, sizeof conversation_diff_js},
    {"conversation/document.js", conversation_document_js, sizeof conversation_document_js},
    {"conversation/error-card.js", conversation_error_card_js, sizeof conversation_error_card_js},
    {"conversation/find.js", conversation_find_js, sizeof conversation_find_js},
    {"conversation/highlight.js", conversation_highlight_js, sizeof conversation_highlight_js},
    {"conversation/inline.js", conversation_inline_js, sizeof conversation_inline_js},
    {"conversation/list.js", conversation_list_js, sizeof conversation_list_js},
    {"conversation/markdown-view.js", conversation_markdown_view_js, sizeof conversation_markdown_view_js},
    {"conversation/markdown.js", conversation_markdown_js, sizeof conversation_markdown_js},
    {"conversation/output-view.js", conversation_output_view_js, sizeof conversation_output_view_js},
    {"conversation/rows.js", conversation_rows_js, sizeof conversation_rows_js},
    {"conversation/text.js", conversation_text_js, sizeof conversation_text_js},
    {"conversation/tool-card.js", conversation_tool_card_js, sizeof conversation_tool_card_js},
    {"conversation/transcript.js", conversation_transcript_js, sizeof conversation_transcript_js},
    {"core/connection.js", core_connection_js, sizeof core_connection_js},
    {"core/dom.js", core_dom_js, sizeof core_dom_js},
    {"core/format.js", core_format_js, sizeof core_format_js},
    {"core/i18n.js", core_i18n_js, sizeof core_i18n_js},
    {"core/keys.js", core_keys_js, sizeof core_keys_js},
    {"core/main.js", core_main_js, sizeof core_main_js},
    {"core/preferences.js", core_preferences_js, sizeof core_preferences_js},
    {"core/records.js", core_records_js, sizeof core_records_js},
    {"core/route.js", core_route_js, sizeof core_route_js},
    {"core/signal.js", core_signal_js, sizeof core_signal_js},
    {"core/store.js", core_store_js, sizeof core_store_js},
    {"core/text.js", core_text_js, sizeof core_text_js},
    {"core/theme.js", core_theme_js, sizeof core_theme_js},
    {"core/transcripts.js", core_transcripts_js, sizeof core_transcripts_js},
    {"css/client.css", css_client_css, sizeof css_client_css},
    {"icon.svg", icon_svg, sizeof icon_svg},
    {"index.html", index_html, sizeof index_html},
    {"interaction/arguments.js", interaction_arguments_js, sizeof interaction_arguments_js},
    {"interaction/attachments.js", interaction_attachments_js, sizeof interaction_attachments_js},
    {"interaction/choices.js", interaction_choices_js, sizeof interaction_choices_js},
    {"interaction/clock.js", interaction_clock_js, sizeof interaction_clock_js},
    {"interaction/commands.js", interaction_commands_js, sizeof interaction_commands_js},
    {"interaction/completion.js", interaction_completion_js, sizeof interaction_completion_js},
    {"interaction/composer.js", interaction_composer_js, sizeof interaction_composer_js},
    {"interaction/compositions.js", interaction_compositions_js, sizeof interaction_compositions_js},
    {"interaction/dialogs.js", interaction_dialogs_js, sizeof interaction_dialogs_js},
    {"interaction/header.js", interaction_header_js, sizeof interaction_header_js},
    {"interaction/history.js", interaction_history_js, sizeof interaction_history_js},
    {"interaction/operations.js", interaction_operations_js, sizeof interaction_operations_js},
    {"interaction/outbox.js", interaction_outbox_js, sizeof interaction_outbox_js},
    {"interaction/permission.js", interaction_permission_js, sizeof interaction_permission_js},
    {"interaction/question.js", interaction_question_js, sizeof interaction_question_js},
    {"interaction/queue.js", interaction_queue_js, sizeof interaction_queue_js},
    {"interaction/rendering.js", interaction_rendering_js, sizeof interaction_rendering_js},
    {"interaction/requests.js", interaction_requests_js, sizeof interaction_requests_js},
    {"shell/access.js", shell_access_js, sizeof shell_access_js},
    {"shell/actions.js", shell_actions_js, sizeof shell_actions_js},
    {"shell/banner.js", shell_banner_js, sizeof shell_banner_js},
    {"shell/help.js", shell_help_js, sizeof shell_help_js},
    {"shell/home.js", shell_home_js, sizeof shell_home_js},
    {"shell/import.js", shell_import_js, sizeof shell_import_js},
    {"shell/new-session.js", shell_new_session_js, sizeof shell_new_session_js},
    {"shell/notifications.js", shell_notifications_js, sizeof shell_notifications_js},
    {"shell/palette.js", shell_palette_js, sizeof shell_palette_js},
    {"shell/provider-picker.js", shell_provider_picker_js, sizeof shell_provider_picker_js},
    {"shell/session-list.js", shell_session_list_js, sizeof shell_session_list_js},
    {"shell/session-query.js", shell_session_query_js, sizeof shell_session_query_js},
    {"shell/session-row.js", shell_session_row_js, sizeof shell_session_row_js},
    {"shell/session-state.js", shell_session_state_js, sizeof shell_session_state_js},
    {"shell/shell.js", shell_shell_js, sizeof shell_shell_js},
    {"shell/sidebar.js", shell_sidebar_js, sizeof shell_sidebar_js},
    {"shell/unread.js", shell_unread_js, sizeof shell_unread_js},
    {"strings/conversation.js", strings_conversation_js, sizeof strings_conversation_js},
    {"strings/interaction.js", strings_interaction_js, sizeof strings_interaction_js},
    {"strings/shell.js", strings_shell_js, sizeof strings_shell_js},
    {"strings/views.js", strings_views_js, sizeof strings_views_js},
    {"ui/button.js", ui_button_js, sizeof ui_button_js},
    {"ui/dialog.js", ui_dialog_js, sizeof ui_dialog_js},
    {"ui/icons.js", ui_icons_js, sizeof ui_icons_js},
    {"ui/menu.js", ui_menu_js, sizeof ui_menu_js},
    {"ui/toast.js", ui_toast_js, sizeof ui_toast_js},
    {"ui/tooltip.js", ui_tooltip_js, sizeof ui_tooltip_js},
    {"views/browser-settings.js", views_browser_settings_js, sizeof views_browser_settings_js},
    {"views/chart.js", views_chart_js, sizeof views_chart_js},
    {"views/provider-card.js", views_provider_card_js, sizeof views_provider_card_js},
    {"views/providers.js", views_providers_js, sizeof views_providers_js},
    {"views/setting-field.js", views_setting_field_js, sizeof views_setting_field_js},
    {"views/setting-texts.js", views_setting_texts_js, sizeof views_setting_texts_js},
    {"views/settings-ru.js", views_settings_ru_js, sizeof views_settings_ru_js},
    {"views/settings.js", views_settings_js, sizeof views_settings_js},
    {"views/usage.js", views_usage_js, sizeof views_usage_js},
};

const struct cassets_file *cassets_web(size_t *count) {
    *count = sizeof cassets_files / sizeof cassets_files[0];
    return cassets_files;
}
