export default {
  en: {
    "shell.close": "Close",
    "shell.cancel": "Cancel",
    "shell.notices": "Notices",
  },
  ru: {
    "shell.close": "Закрыть",
    "shell.cancel": "Отмена",
    "shell.notices": "Уведомления",
  },
};
