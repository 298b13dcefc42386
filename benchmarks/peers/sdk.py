"""The official OpenAI SDK, asynchronous, in the loop that its pages show."""

import asyncio
import sys

from openai import AsyncOpenAI

SHOTS, PLACES, MEGABYTES, INTERVAL = *map(int, sys.argv[2:5]), float(sys.argv[5])


async def make(client, number, places):
    async with places:
        video = await client.videos.create_and_poll(
            model="veo-3.1-fast-generate-preview",
            prompt=f"{MEGABYTES} MB, shot {number}",
            seconds="4",
            size="1280x720",
            poll_interval_ms=int(INTERVAL * 1000),
        )
        content = await client.videos.download_content(video.id)
        content.write_to_file(f"{number:04d}.mp4")


async def main():
    client = AsyncOpenAI(base_url=f"{sys.argv[1]}/v1", api_key="sk-benchmark")
    places = asyncio.Semaphore(PLACES)
    await asyncio.gather(*(make(client, number, places) for number in range(SHOTS)))


asyncio.run(main())
