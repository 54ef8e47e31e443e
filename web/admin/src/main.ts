import { mount } from 'svelte';
import App from './App.svelte';
import { loadTexts } from './lib/messages';
import './app.css';

loadTexts().then(() => mount(App, { target: document.getElementById('app')! }));
