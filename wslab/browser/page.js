// The page of an application. The module `app.js` is the application's own, see `application`.

import app from "./app.js";

app.show(ownServer(), document.querySelector("main"), Object.fromEntries(new URLSearchParams(location.search)));
