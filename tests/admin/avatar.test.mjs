// The picture of a user in the admin UI: dropped or chosen, cut by pointer or by keys, stored, refused at its field, removed;
// in both languages, light and dark, wide and narrow.
import test from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { adminId, userId } from '../lib/ids.mjs';
import { Server, temporaryFolder } from '../lib/server.mjs';
import { allVariants, Ui } from './ui.mjs';
import { words } from './words.mjs';

const server = await Server.start();
const token = await server.admin();
const hash = `#/users/${userId}`;
const stored = async () => (await server.get(userId)).AvatarFileName;
const focused = '#field-NewAvatarUrl:focus';

// The window is so high that the bar with the buttons covers nothing.
async function opened(options) {
    const ui = await Ui.open(server, { height: 3000, ...options });
    await ui.signedIn();
    await ui.go(hash, '#file');
    return ui;
}

// A picture of three stripes: red, green and blue.
async function stripes(ui, type = 'image/png', width = 300) {
    const url = await ui.evaluate(`(() => {
        const canvas = document.createElement('canvas'), context = canvas.getContext('2d');
        canvas.width = ${width}; canvas.height = ${width} / 3;
        for (const [at, colour] of ['#ff0000', '#00ff00', '#0000ff'].entries()) {
            context.fillStyle = colour;
            context.fillRect(at * ${width} / 3, 0, ${width} / 3, ${width} / 3);
        }
        return canvas.toDataURL(${JSON.stringify(type)});
    })()`);
    return Buffer.from(url.split(',')[1], 'base64');
}

// The colour in the middle of the stored picture, its type and its side.
const shown = (ui) =>
    ui.evaluate(`(async () => {
        const blob = await (await fetch('../api/sys/users/getavatar/${userId}')).blob();
        const picture = await createImageBitmap(blob);
        const context = document.createElement('canvas').getContext('2d');
        context.drawImage(picture, -picture.width / 2, -picture.height / 2);
        const bright = [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)].map((one) => one > 200);
        return { bright, type: blob.type, side: [picture.width, picture.height] };
    })()`);

async function press(ui, key, times) {
    for (let i = 0; i < times; i++) await ui.key(key);
}

async function save(ui, { m } = words('en-US')) {
    await ui.button(m.save());
    await ui.sees(m.saved(), '.notice');
    await ui.wait("document.querySelector('#file')");
}

for (const [language, scheme, width, more] of allVariants)
    test(`a picture is cut by keys, stored and removed, in ${language}, ${scheme}, ${width} px ${more?.as ?? ''}`, async () => {
        const ui = await opened({ language, scheme, width, ...more });
        const check = async (screen) => {
            await ui.check(
                `${screen}-${language}-${scheme}-${width}${more ? Object.keys(more)[0] : ''}`,
            );
            if (more?.colours)
                assert.deepEqual(await ui.unmarked('[aria-labelledby=avatar]'), [], screen);
        };
        const say = words(language);
        await check('avatar-none');
        await ui.choose('picture.png', 'no picture');
        await ui.sees(say.m.avatar_unreadable(), '#avatar-failure');
        await ui.wait("document.activeElement.id === 'file'");
        await check('avatar-unreadable');
        await ui.choose('picture.png', await stripes(ui));
        await ui.wait(`document.querySelector('${focused}')`);
        await check('avatar-crop');
        await press(ui, 'ArrowRight', 35);
        await press(ui, '-', 3);
        await check('avatar-moved');
        await save(ui, say);
        assert.deepEqual(await shown(ui), {
            bright: [false, false, true],
            type: 'image/png',
            side: [82, 82],
        });
        await ui.wait("document.querySelector('h1 img').naturalWidth === 82");
        await check('avatar-stored');
        await ui.click('#field-ClearAvatarFile');
        await save(ui, say);
        await ui.wait("!document.querySelector('h1 img')");
        assert.equal(await stored(), null);
        await ui.close();
    });

test('a picture is dropped, and its square is brought and dragged by the pointer', async () => {
    const ui = await opened();
    const path = join(temporaryFolder(), 'large.jpg');
    writeFileSync(path, await stripes(ui, 'image/jpeg', 3000));
    const at = (selector, part) =>
        ui.evaluate(`(() => { const box = document.querySelector('${selector}').getBoundingClientRect();
            return { x: box.x + box.width * ${part}, y: box.y + box.height / 2 }; })()`);
    const data = { items: [], files: [path], dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop'])
        await ui.page.send('Input.dispatchDragEvent', { type, ...(await at('.drop', 0.5)), data });
    await ui.wait(`document.querySelector('${focused}')`);
    const pointer = async (type, part) =>
        ui.page.send('Input.dispatchMouseEvent', {
            type,
            ...(await at('.crop canvas', part)),
            button: 'left',
            buttons: type === 'mouseReleased' ? 0 : 1,
            clickCount: 1,
        });
    await pointer('mousePressed', 0.1);
    await pointer('mouseReleased', 0.1);
    await save(ui);
    assert.deepEqual(await shown(ui), {
        bright: [true, false, false],
        type: 'image/jpeg',
        side: [512, 512],
    });
    await ui.choose('large.jpg', await stripes(ui, 'image/jpeg', 3000));
    await ui.wait(`document.querySelector('${focused}')`);
    await pointer('mousePressed', 0.4);
    await pointer('mouseMoved', 0.6);
    await pointer('mouseMoved', 0.75);
    await pointer('mouseReleased', 0.75);
    await ui.click('button', '−');
    await save(ui);
    assert.deepEqual((await shown(ui)).bright, [false, false, true]);
    assert.deepEqual(ui.page.complaints, []);
    await ui.close();
});

test('a picture that was cut stays while other tabs are seen, and goes when it is discarded', async () => {
    const ui = await opened();
    const before = await stored();
    await ui.choose('picture.png', await stripes(ui));
    await ui.wait(`document.querySelector('${focused}')`);
    await ui.click('[role=tab]', 'Access');
    await ui.wait("document.querySelector('#field-APIAccess')");
    await ui.click('[role=tab]', 'Details');
    await ui.wait("document.querySelector('.crop canvas')?.width === 640"); // what was kept is a square
    assert.equal(await ui.evaluate("document.querySelector('.crop canvas').height"), 640);
    await ui.button('Discard changes');
    await ui.wait("document.querySelector('#file')");
    await ui.choose('picture.png', await stripes(ui));
    await ui.button('Do not use this picture');
    await ui.wait("document.activeElement.id === 'file'");
    await ui.wait("document.querySelector('button.main').disabled");
    assert.equal(await stored(), before);
    await ui.close();
});

test('what the server refuses stands at the picture, in words', async () => {
    const ui = await opened();
    const picture = await stripes(ui, 'image/jpeg');
    await ui.evaluate(
        "HTMLCanvasElement.prototype.toDataURL = () => 'data:image/png;base64,AAAA'; 0",
    );
    await ui.choose('picture.jpg', picture);
    await ui.wait(`document.querySelector('${focused}')`);
    await ui.button('Save');
    await ui.sees('valid PNG', '#field-NewAvatarUrl-error');
    ui.page.complaints.splice(0, Infinity); // the browser notes the 400
    await ui.check('avatar-refused');
    await ui.close();
});

test('who may not change users sees the picture, and nothing to change it', async () => {
    const admin = await opened();
    const picture = `data:image/png;base64,${(await stripes(admin)).toString('base64')}`;
    await admin.close();
    const { status, text } = await server.call('PATCH', `/api/sys/users/${adminId}`, {
        token,
        body: { NewAvatarUrl: picture },
    });
    assert.equal(status, 200, text);
    const ui = await Ui.open(server);
    await ui.signedIn('frontdesk@example.com'); // List and Read
    await ui.go(`#/users/${adminId}`, '[role=group] img');
    for (const absent of ['#file', '.drop', '#field-NewAvatarUrl', '#field-ClearAvatarFile'])
        assert.equal(await ui.evaluate(`document.querySelector('${absent}')`), null, absent);
    await ui.check('avatar-read-only');
    await ui.close();
});
