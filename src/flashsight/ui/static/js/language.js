// The first module to run: words in the chosen language as soon as they are there, long before the rest has been loaded.
import { applyLanguage } from "./words.js";

applyLanguage();
